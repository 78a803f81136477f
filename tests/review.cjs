// What a browser and a screen reader make of the page that the first argument names, with and without JavaScript: as JSON.
const { chromium } = require('playwright-core');

async function look(browser, file, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const requests = [], errors = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`file://${file}`);
  const seen = {
    requests: requests.length,
    errors,
    aria: await page.locator('body').ariaSnapshot(),
    paper: await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
    picturePaper: await page.evaluate(() => getComputedStyle(document.querySelector('svg')).backgroundColor),
    unnamedTables: await page.locator('table:not(:has(caption))').count(),
    tables: await page.locator('table').count(),
    headlessRows: await page.locator('tbody tr:not(:has(th[scope=row]))').count(),
    deadLinks: await page.evaluate(() => [...document.querySelectorAll('nav a')].filter((a) => !document.querySelector(a.hash)).length),
    // What is too wide scrolls inside its own frame, which the keyboard reaches.
    overflows: await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth),
    boxes: await page.evaluate(() => document.querySelectorAll('svg .name').length),
    spilling: await page.evaluate(() => [...document.querySelectorAll('svg > g:not(.line)')].filter((g) => {
      const box = g.querySelector('rect').getBBox();
      return [...g.querySelectorAll('text')].some((text) => text.getBBox().width > box.width);
    }).map((g) => g.textContent)),
  };
  await context.close();
  return seen;
}

(async () => {
  const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser = await chromium.launch({ executablePath: process.argv[3], args: flags });
  const seen = {
    light: await look(browser, process.argv[2], { colorScheme: 'light' }),
    dark: await look(browser, process.argv[2], { colorScheme: 'dark', javaScriptEnabled: false }),
    narrow: await look(browser, process.argv[2], { viewport: { width: 400, height: 800 } }),
  };
  const page = await browser.newPage({ javaScriptEnabled: false });
  await page.goto(`file://${process.argv[2]}`);
  await page.getByText('The picture in words').click();
  seen.words = await page.getByRole('listitem').allInnerTexts();
  await browser.close();
  console.log(JSON.stringify(seen));
})();

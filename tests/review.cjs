// Measures the first argument's page in a browser and for a screen reader: wide, narrow, dark and
// printed, with and without JavaScript; and the second argument's picture at the README's width.
// Prints JSON.
const { chromium } = require('playwright-core');
const fs = require('fs');

// The width of a README on GitHub, and of the text on a sheet of A4 between the page's margins.
const README = 830, SHEET = 687;

// Runs in the page: finds visible text that is too small, too faint, or beyond the edge.
function readability() {
  const colour = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
  const behind = (element) => {
    const box = element.closest('g')?.querySelector('rect');
    if (box) return colour(getComputedStyle(box).fill);
    for (let at = element; at; at = at.parentElement) {
      const found = colour(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const found = { smallest: Infinity, faint: [], beyond: [] };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement, style = getComputedStyle(element);
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (!node.data.trim() || !box.width || ['STYLE', 'TITLE'].includes(element.tagName.toUpperCase()) || !element.checkVisibility({ contentVisibilityAuto: true })) continue;
    if (getComputedStyle(element.closest('thead') || element).position === 'absolute') continue;
    const svg = element.closest('svg'), scale = svg ? svg.getScreenCTM().a : 1;
    found.smallest = Math.min(found.smallest, parseFloat(style.fontSize) * scale);
    if (contrast(colour(svg ? style.fill : style.color), behind(element)) < 4.5) found.faint.push(node.data);
    // Only the picture may be wider than its frame and scroll.
    const edge = element.closest('.scroll')?.scrollWidth ?? document.documentElement.clientWidth;
    if (box.right > edge + 1) found.beyond.push(node.data);
  }
  return found;
}

// Runs in the page: finds overlapping boxes and labels of the picture, and boxes with too long texts.
function overlaps() {
  const boxes = [...document.querySelectorAll('svg .box > rect')], labels = [...document.querySelectorAll('svg .label > text')];
  const all = [...boxes, ...labels].map((item) => [item.parentElement.textContent, item.getBBox()]);
  const meet = ([, a], [, b]) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
  return {
    boxes: boxes.length,
    meeting: all.flatMap((one, at) => all.slice(at + 1).filter((other) => meet(one, other)).map((other) => `${one[0]} / ${other[0]}`)),
    spilling: boxes.filter((box) => [...box.parentElement.querySelectorAll('text')].some((text) => text.getBBox().width > box.getBBox().width))
      .map((box) => box.parentElement.textContent),
  };
}

async function look(browser, file, { media, ...options }) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const requests = [], errors = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  if (media) await page.emulateMedia({ media });
  await page.goto(`file://${file}`);
  const seen = {
    requests: requests.length,
    errors,
    aria: await page.locator('body').ariaSnapshot(),
    paper: await page.evaluate(() => getComputedStyle(document.body).backgroundColor),
    picturePaper: await page.evaluate(() => getComputedStyle(document.querySelector('svg')).backgroundColor),
    // The text that isn't folded.
    words: await page.evaluate(() => document.body.innerText.split(/\s+/).filter(Boolean).length),
    unnamedTables: await page.locator('table:not(:has(caption))').count(),
    tables: await page.getByRole('table').count(),
    rows: await page.getByRole('row').count(),
    headlessRows: await page.locator('tbody tr:not(:has(th[scope=row]))').count(),
    namelessFields: await page.locator('input:not([aria-label]):not(label input)').count(),
    deadLinks: await page.evaluate(() => [...document.querySelectorAll('nav a')].filter((a) => !document.querySelector(a.hash)).length),
    // Wide content scrolls inside its own frame, which the keyboard can focus.
    overflows: await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth),
    scrolling: await page.evaluate(() => [...document.querySelectorAll('body *')].filter((it) => it.scrollWidth > it.clientWidth + 1 && getComputedStyle(it).overflowX === 'auto').map((it) => it.className)),
    ...(await page.evaluate(readability)),
    ...(await page.evaluate(overlaps)),
  };
  await context.close();
  return seen;
}

// The number of printed sheets, by default and with everything unfolded.
async function sheets(browser, file) {
  const page = await browser.newPage({ colorScheme: 'dark' });
  await page.goto(`file://${file}`);
  const count = async () => (await page.pdf({ format: 'A4' })).toString('latin1').match(/\/Type\s*\/Page\b/g).length;
  const shut = await count();
  await page.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true; }));
  return { shut, open: await count() };
}

async function picture(browser, file, colorScheme) {
  const page = await browser.newPage({ viewport: { width: README, height: 900 }, colorScheme });
  await page.setContent(`<!DOCTYPE html><body style="margin:0">${fs.readFileSync(file, 'utf8')}`);
  return { ...(await page.evaluate(readability)), ...(await page.evaluate(overlaps)) };
}

(async () => {
  const [file, svg, executablePath] = process.argv.slice(2);
  const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser = await chromium.launch({ executablePath, args: flags });
  const seen = {
    wide: await look(browser, file, { colorScheme: 'light' }),
    dark: await look(browser, file, { colorScheme: 'dark', javaScriptEnabled: false }),
    middle: await look(browser, file, { viewport: { width: 900, height: 900 } }),
    narrow: await look(browser, file, { viewport: { width: 360, height: 780 } }),
    printed: await look(browser, file, { viewport: { width: SHEET, height: 970 }, colorScheme: 'dark', media: 'print' }),
    sheets: await sheets(browser, file),
    readme: { light: await picture(browser, svg, 'light'), dark: await picture(browser, svg, 'dark') },
  };
  const page = await browser.newPage({ javaScriptEnabled: false });
  await page.goto(`file://${file}`);
  await page.getByText('The picture in words').click();
  seen.said = await page.getByRole('listitem').allInnerTexts();
  await browser.close();
  console.log(JSON.stringify(seen));
})();

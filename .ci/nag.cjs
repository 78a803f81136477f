// cdk-nag's findings about a template: its AwsSolutions and Serverless packs, as a report in the
// second argument's folder. Findings that the template's metadata accepts are acknowledged.
const { readFileSync } = require('node:fs');
const { App, Stack, Validations } = require('aws-cdk-lib');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');
const { AwsSolutionsChecks, ServerlessChecks } = require('cdk-nag');

const [template, outdir] = process.argv.slice(2);
const app = new App({ outdir, analyticsReporting: false });
const include = new CfnInclude(new Stack(app, 'git2s3'), 'Template', { templateFile: template });
for (const [id, resource] of Object.entries(JSON.parse(readFileSync(template)).Resources)) {
  for (const { id: rule, reason } of resource.Metadata?.cdk_nag?.rules_to_suppress ?? []) {
    // A rule is acknowledged with the name of its pack.
    const name = rule.includes('::') && !rule.includes('[') ? rule : `${rule.split('-')[0]}::${rule}`;
    Validations.of(include.getResource(id)).acknowledge({ id: name, reason });
  }
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
app.synth();

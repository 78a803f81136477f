// The rival's app: our template in a CDK stack.
const { App, Stack } = require('aws-cdk-lib');
const { CfnInclude } = require('aws-cdk-lib/cloudformation-include');
const app = new App({ analyticsReporting: false });
new CfnInclude(new Stack(app, 'git2s3'), 'Template', { templateFile: process.env.TEMPLATE });
app.synth();

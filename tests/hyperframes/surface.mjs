// Prints the options of `hyperframes lambda` and the fields of a config, as the published packages have them.
import fs from 'node:fs';
import path from 'node:path';

const packages = process.argv[2];
const cli = path.join(packages, 'hyperframes/dist');
const chunk = (start, text) => fs.readdirSync(cli).map((name) => path.join(cli, name))
  .find((file) => path.basename(file).startsWith(start) && fs.readFileSync(file, 'utf8').includes(text));

const { default: lambda } = await import(chunk('lambda-', 'Deploy and drive renders on AWS Lambda'));
const options = Object.entries(lambda.args).filter(([, option]) => option.type !== 'positional').map(([name]) => name);

// What the command line sends, with every option that decides a field of it.
const { buildLambdaRenderConfig } = await import(chunk('render-', 'function buildLambdaRenderConfig'));
const sent = Object.keys(buildLambdaRenderConfig({ outputResolutionAspectAgnostic: true }, {}, 1));
// What the SDK has a type for, and what the validation that comes with the command line reads.
const types = fs.readFileSync(path.join(packages, '@hyperframes/producer/dist/services/distributed/plan.d.ts'), 'utf8');
const [, body] = types.match(/interface DistributedRenderConfig \{([\s\S]*?)\n\}/);
const typed = [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, name]) => name);
const source = fs.readFileSync(chunk('chunk-', 'function validateDistributedRenderConfig'), 'utf8');
const [, validation] = source.match(/function validateDistributedRenderConfig\(([\s\S]*?)\n\}/);
const validated = [...validation.matchAll(/config\.([a-zA-Z]+)/g), ...validation.matchAll(/"(worker\w+)"/g)].map(([, name]) => name);

const sorted = (names) => [...new Set(names)].sort();
console.log(JSON.stringify({ options: sorted(options), sent: sorted(sent), typed: sorted(typed), validated: sorted(validated) }));

// Renders with the published SDK as its users do: drive.mjs STACK PROJECT CONFIG. Prints what it got as JSON.
import { deploySite, getRenderProgress, renderToLambda } from '@hyperframes/aws-lambda/sdk';

const [stack, projectDir, config] = process.argv.slice(2);
const { bucketName, stateMachineArn, region, lambdaMemoryMb } = JSON.parse(stack);
const options = { bucketName, region, projectDir };
const first = await deploySite(options);
const again = await deploySite(options);
const handle = await renderToLambda({ siteHandle: again, bucketName, stateMachineArn, region, config: JSON.parse(config) });

const seen = [];
let progress;
do {
  await new Promise((resolve) => setTimeout(resolve, 100));
  progress = await getRenderProgress({ executionArn: handle.executionArn, region, defaultMemorySizeMb: lambdaMemoryMb });
  seen.push(progress.overallProgress);
} while (progress.status === 'RUNNING');
console.log(JSON.stringify({ first, again, handle, seen, progress }));

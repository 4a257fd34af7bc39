// Renders a composition on a deployed stack: node render.mts PROJECT OUT.mp4 [DEPLOYMENT.json]
// Needs Node.js 24 (or 22.18), which runs TypeScript, @aws-sdk/client-s3, @aws-sdk/client-sfn, and credentials in the environment or a profile. DEPLOYMENT.json is what
// scripts/deploy.sh wrote.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createWriteStream, readFileSync, readdirSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';

const leftOut = new Set(['node_modules', '.git', '.env', 'dist', '.cache', '.framewright']);

/** The project as the tar.gz that the plan action reads. */
function packed(project: string): Buffer {
  const names = readdirSync(project).filter((name) => !leftOut.has(name));
  return execFileSync('tar', ['-czhf', '-', '-C', project, ...names], { maxBuffer: 1 << 30 });
}

async function render(project: string, out: string, deployment: { BucketName: string; StateMachineArn: string }): Promise<void> {
  const { BucketName: bucket, StateMachineArn: stateMachineArn } = deployment;
  const name = `render-${randomUUID()}`;
  const region = stateMachineArn.split(':')[3];
  const s3 = new S3Client({ region });
  const steps = new SFNClient({ region });

  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: `projects/${name}/project.tar.gz`, Body: packed(project) }));
  const input = {
    ProjectS3Uri: `s3://${bucket}/projects/${name}/project.tar.gz`,
    PlanOutputS3Prefix: `s3://${bucket}/work/${name}`,
    OutputS3Uri: `s3://${bucket}/outputs/${name}/output.mp4`,
    Config: { fps: 30, chunkSize: 240 },
  };
  const { executionArn } = await steps.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }));
  for (;;) {
    const { status, error, cause } = await steps.send(new DescribeExecutionCommand({ executionArn }));
    if (status === 'SUCCEEDED') break;
    if (status !== 'RUNNING') throw new Error(`${status}: ${error}: ${cause}`);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  const video = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: `outputs/${name}/output.mp4` }));
  await pipeline(video.Body as Readable, createWriteStream(out));
  console.log(`${out}: ${video.ContentLength} bytes`);
}

const [project, out, file = '.framewright/framewright.json'] = process.argv.slice(2);
if (!project || !out) {
  console.error('usage: render.mts PROJECT OUT.mp4 [DEPLOYMENT.json]');
  process.exit(2);
}
await render(project, out, JSON.parse(readFileSync(file, 'utf8')));

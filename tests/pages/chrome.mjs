// The pinned Chrome as a person's browser, driven over a pipe: opens a page, asks it things, takes its picture.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const chrome = path.join(process.env.FRAMEWRIGHT_TOOLS ?? path.join(root, '.tools'), 'chrome');

export class Chrome {
  static async start() {
    const made = new Chrome();
    made.home = fs.mkdtempSync(path.join(os.tmpdir(), 'framewright-pages-'));
    const config = path.join(made.home, 'fonts.conf');
    fs.writeFileSync(config, `<?xml version="1.0"?><fontconfig><dir>${chrome}/fontconfig/fonts</dir><cachedir>${made.home}/fonts</cachedir></fontconfig>`);
    made.child = spawn(path.join(chrome, 'chromium'), ['--headless', '--no-sandbox', '--no-zygote', '--disable-dev-shm-usage',
      '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-gpu-compositing',
      '--autoplay-policy=no-user-gesture-required', '--mute-audio', '--remote-debugging-pipe', `--user-data-dir=${made.home}/profile`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: { HOME: made.home, FONTCONFIG_FILE: config, LD_LIBRARY_PATH: `${chrome}/lib:${chrome}` } });
    let text = '';
    made.child.stdio[4].setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      const messages = text.split('\0');
      text = messages.pop();
      for (const message of messages) made.receive(JSON.parse(message));
    });
    const { targetId } = await made.send('Target.createTarget', { url: 'about:blank', width: 1100, height: 900 });
    made.session = (await made.send('Target.attachToTarget', { targetId, flatten: true })).sessionId;
    await made.send('Page.enable');
    await made.send('Runtime.enable');
    return made;
  }

  waiting = new Map();
  next = 1;
  /** What pages threw. */
  errors = [];

  receive({ id, result, error, method, params }) {
    if (method === 'Runtime.exceptionThrown') this.errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result);
  }

  send(method, params = {}) {
    const id = this.next++;
    this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: this.session })}\0`);
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  async open(url) {
    await this.send('Page.navigate', { url });
    await this.until('document.readyState === "complete"');
  }

  /** The value of an expression, which may be a promise. */
  async ask(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true. */
  async until(expression, seconds = 60) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      if (await this.ask(`Boolean(${expression})`).catch(() => false)) return;
      if (Date.now() > end) throw new Error(`not within ${seconds} s: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Writes a picture of the page as far down as it goes. */
  async picture(file, width = 1100) {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: false });
    const { cssContentSize } = await this.send('Page.getLayoutMetrics');
    const clip = { x: 0, y: 0, width, height: Math.ceil(cssContentSize.height), scale: 1 };
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip });
    fs.writeFileSync(file, Buffer.from(data, 'base64'));
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
    for (let tries = 0; tries < 20; tries++) {
      try { fs.rmSync(this.home, { recursive: true, force: true }); break; } catch { await new Promise((resolve) => setTimeout(resolve, 50)); }
    }
  }
}

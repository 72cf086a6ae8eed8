// The hand of the Go test in a browser: it serves the page of the phone, opens it in tabs of one Chromium, and does what
// it is told, a JSON object a line.
//
//   in   {"id": 1, "op": "open",  "tab": "a", "profile": "hana"}   a new tab; tabs of a profile share their storage
//        {"id": 2, "op": "call",  "tab": "a", "name": "dial", "args": [...]}   a function of page.js
//        {"id": 3, "op": "close", "tab": "a"}                      as if it had crashed: nothing is said to anybody
//   out  {"ready": "https://127.0.0.1:4711"}                       the origin of the page
//        {"id": 1, "result": ...} or {"id": 1, "error": "..."}
//        {"tab": "a", "event": "..."}                              what happened in a page, for the log of a test
//
// Arguments: the certificate, its key, the SHA-256 of its public key, the file with what the microphone hears, and
// perhaps the browser. It ends with its standard input.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { bundle } from './bundle.js';

const [cert, key, spki, voice, executablePath] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const say = object => process.stdout.write(JSON.stringify(object) + '\n');

const files = {
  '/': ['text/html', '<!doctype html><title>phone</title><audio id="speaker" autoplay></audio><script src="jssip.js"></script><script src="page.js"></script>'],
  '/jssip.js': ['text/javascript', bundle(join(here, 'node_modules/jssip/lib/JsSIP.js'), 'JsSIP')],
  '/page.js': ['text/javascript', readFileSync(join(here, 'page.js'))],
};
const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (req, res) => {
  const [type, body] = files[req.url] ?? ['text/plain', ''];
  res.writeHead(files[req.url] ? 200 : 404, { 'Content-Type': type }).end(body);
});
await new Promise(ok => server.listen(0, '127.0.0.1', ok));
const origin = `https://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: executablePath || '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--disable-dev-shm-usage', '--autoplay-policy=no-user-gesture-required', '--allow-loopback-in-peer-connection',
    '--disable-features=WebRtcHideLocalIpsWithMdns', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
    `--use-file-for-fake-audio-capture=${voice}`, `--ignore-certificate-errors-spki-list=${spki}`,
  ],
});

const profiles = new Map();
const tabs = new Map();

const ops = {
  async open({ tab, profile }) {
    if (!profiles.has(profile)) profiles.set(profile, await browser.newContext());
    const page = await profiles.get(profile).newPage();
    tabs.set(tab, page);
    page.on('pageerror', e => say({ tab, event: `error ${e.stack}` }));
    await page.exposeBinding('tell', (_, event) => say({ tab, event }));
    await page.goto(origin);
  },
  call: ({ tab, name, args }) => tabs.get(tab).evaluate(([f, a]) => window.phone[f](...a), [name, args ?? []]),
  async close({ tab }) {
    await tabs.get(tab).close({ runBeforeUnload: false });
    tabs.delete(tab);
  },
};

say({ ready: origin, version: browser.version() });
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  ops[order.op](order).then(
    result => say({ id: order.id, result: result ?? null }),
    error => say({ id: order.id, error: String(error.message ?? error) }),
  );
}
await browser.close();
process.exit(0);

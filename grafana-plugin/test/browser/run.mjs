// Runs the browser checks against the built plugins: a line for each, and a
// non-zero exit code when one fails. `node test/browser/run.mjs WORD` runs those
// whose name has the word in it.
import { openPage, shoot } from './browser.mjs';
import appChecks from './app.mjs';
import datasourceChecks from './datasource.mjs';
import panelChecks from './panel.mjs';
import { serve } from './server.mjs';

const only = process.argv[2] ?? '';
const started = Date.now();
const server = await serve();
const browser = await openPage(server.url);
const checks = [];
const check = (name, run) => name.includes(only) && checks.push({ name, run });
for (const group of [panelChecks, datasourceChecks, appChecks]) {
  group({ page: browser.page, server, check });
}

const attempt = async (run) => {
  browser.complaints.length = 0;
  await run();
  const crash = await browser.page.getByTestId('crash').allInnerTexts();
  if (crash.length > 0) {
    throw new Error(crash[0].slice(0, 600));
  }
  if (browser.complaints.length > 0) {
    throw new Error(`the browser complained:\n${browser.complaints.join('\n')}`);
  }
};

let failed = 0;
for (const { name, run } of checks) {
  const begun = Date.now();
  try {
    try {
      await attempt(run);
    } catch (error) {
      // A click on a starved machine may go astray once. Whoever reads this sees it.
      process.stdout.write(`↻ ${name}: once more after: ${String(error.message).split('\n')[0]}\n`);
      await attempt(run);
    }
    process.stdout.write(`✔ ${name} (${Date.now() - begun}ms)\n`);
  } catch (error) {
    failed++;
    await shoot(browser.page, `failed-${name.replace(/\W+/g, '-').slice(0, 60)}`).catch(() => {});
    process.stdout.write(`✖ ${name}\n${String(error.message).replace(/^/gm, '    ')}\n`);
  }
}
if (server.missing.size > 0) {
  failed++;
  process.stdout.write(`✖ the page asked for what is not there: ${[...server.missing].join(' ')}\n`);
}
await browser.close();
server.close();
process.stdout.write(`${checks.length - failed} of ${checks.length} browser checks passed in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
process.exit(failed > 0 ? 1 : 0);

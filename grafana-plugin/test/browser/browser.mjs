// Headless Chromium, and the little that the checks need around it.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = path.dirname(fileURLToPath(import.meta.url));
export const screenshots = path.join(here, '..', '..', '..', 'artifacts', 'screenshots');

const executable =
  process.env.CHROMIUM_PATH ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => fs.existsSync(p));

/** A page on the host, with everything the browser complained about. */
export async function openPage(url) {
  if (!executable) {
    throw new Error('no Chromium found; install the package chromium or set CHROMIUM_PATH');
  }
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'heplake-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: executable,
    headless: true,
    viewport: { width: 1600, height: 900 },
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(20000);
  const complaints = [];
  page.on('pageerror', (e) => complaints.push(`uncaught: ${e.message.slice(0, 400)}`));
  page.on('console', (m) => m.type() === 'error' && complaints.push(`console: ${m.text().slice(0, 400)}`));
  await page.goto(url);
  await page.waitForFunction(() => window.host, undefined, { timeout: 30_000 });
  return {
    page,
    complaints,
    async close() {
      await context.close();
      fs.rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Keeps a picture of the page, for people to look at. */
export async function shoot(page, name) {
  fs.mkdirSync(screenshots, { recursive: true });
  // Fonts and the drawer's layout settle within a frame or two.
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(120);
  await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
}

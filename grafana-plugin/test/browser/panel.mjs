// The ladder panel, loaded from its built module.js, with flows of real calls.
import assert from 'node:assert/strict';
import { flowFrame, longFlow } from '../wire.mjs';
import { shoot } from './browser.mjs';
import { fixture } from './server.mjs';

const message = (page, index) => page.getByTestId(`ladder-message-${index}`);
const messages = (page) => page.locator('[data-testid^="ladder-message-"]');

export default function panelChecks({ page, check }) {
  /** Draws frames in the panel; the page gets the panel's size. */
  async function draw(frames, { mode = 'dark', width = 1600, height = 900, options = {}, state } = {}) {
    await page.setViewportSize({ width, height });
    await page.mouse.move(0, 0);
    await page.evaluate(([f, o, m, size, s]) => window.host.panel(f, o, m, size, s), [
      frames,
      options,
      mode,
      { width: width - 18, height: height - 18 },
      state,
    ]);
  }
  const drawFlow = async (name, how) => {
    const flow = typeof name === 'string' ? fixture(name) : name;
    await draw([flowFrame(flow)], how);
    await page.getByTestId('ladder').waitFor();
    return flow;
  };

  check('panel: every message of a call of two legs is there, named for screen readers', async () => {
    const flow = await drawFlow('two-legs');
    assert.equal(await messages(page).count(), flow.items.length);
    assert.equal(await page.locator('[data-testid^="ladder-column-"]').count(), flow.participants.length);
    assert.equal(
      await message(page, 0).getAttribute('aria-label'),
      'Message 1: INVITE bob, from 127.0.0.1:5070 to 127.0.0.1:5060, with SDP'
    );
    assert.equal(await page.getByRole('button', { name: /^Message \d+/ }).count(), flow.items.length);
    assert.match(await page.getByTestId('ladder-summary').innerText(), /Answered 200 OK\s+alice → bob/);
    await shoot(page, 'ladder-two-legs-dark-1600');
    await drawFlow('two-legs', { mode: 'light', width: 1000, height: 700 });
    await shoot(page, 'ladder-two-legs-light-1000');
  });

  check('panel: failures stand out, retransmissions and copies are marked', async () => {
    await drawFlow('retransmissions', { mode: 'light', height: 760 });
    assert.equal(await page.getByText('RETRANS', { exact: true }).count(), 4);
    const label = page.locator('tspan', { hasText: '408 Request Timeout' });
    assert.equal(await label.getAttribute('font-weight'), '700');
    await shoot(page, 'ladder-retransmissions-light-1600');
    await drawFlow('two-legs');
    assert.equal(await page.getByText('COPY', { exact: true }).count(), 7);
  });

  check('panel: why it failed, with the messages that show it', async () => {
    const flow = await drawFlow('unreachable', { height: 620 });
    const text = await page.getByTestId('ladder-finding-0').innerText();
    assert.equal(text, flow.findings[0].text);
    assert.match(text, /^Nobody responded: 127\.0\.0\.1:5060 sent the INVITE to 127\.0\.0\.1:5089 3 times/);
    assert.equal(await page.getByTestId('ladder-finding-1').count(), 0, 'what explains is shown when asked for');
    await page.getByRole('button', { name: '1 more that explains' }).click();
    await page.getByTestId('ladder-finding-1').waitFor();
    for (const item of flow.findings[0].items) {
      assert.equal((await page.getByTestId(`ladder-mark-${item}`).textContent()).replace(flow.findings[0].text, ''), '1');
    }
    await page.getByTestId('ladder-finding-0').click();
    assert.equal(await page.locator('[data-testid^="ladder-shows-"]').count(), flow.findings[0].items.length);
    await shoot(page, 'ladder-findings-dark-1600');
    await page.getByTestId('ladder-finding-0').click();
    assert.equal(await page.locator('[data-testid^="ladder-shows-"]').count(), 0);
    await page.getByRole('button', { name: 'Open message 6' }).click();
    assert.match(await page.getByTestId('ladder-drawer').innerText(), /408 Request Timeout[\s\S]*1 Nobody responded/);
    await shoot(page, 'ladder-findings-drawer-dark-1600');
    await drawFlow('unreachable', { height: 620, options: { showFindings: false } });
    assert.equal(await page.getByTestId('ladder-findings').count(), 0);
    assert.equal(await page.locator('[data-testid^="ladder-mark-"]').count(), 0);
  });

  check('panel: a finding brings its message into sight, whatever is hidden', async () => {
    await drawFlow('retransmissions', { mode: 'light', width: 900, height: 460 });
    await page.getByTestId('ladder-leg-0').click();
    assert.equal(await messages(page).count(), 0);
    await page.getByTestId('ladder-finding-2').click();
    await message(page, 17).waitFor();
    const box = await page.getByTestId('ladder-scroll').boundingBox();
    const row = await message(page, 17).boundingBox();
    assert.ok(row.y >= box.y && row.y + row.height <= box.y + box.height + 1, 'in sight');
    await shoot(page, 'ladder-findings-light-900');
  });

  check('panel: aliases stand at the head of their column', async () => {
    await drawFlow('aliases', { height: 800 });
    assert.equal(await page.locator('[data-testid^="ladder-column-"]').count(), 3);
    await page.getByText('SBC Berlin', { exact: true }).waitFor();
    await page.getByText('127.0.0.1:5060 127.0.0.1:5062', { exact: true }).waitFor();
    assert.match(await message(page, 0).getAttribute('aria-label'), /from Softphone to SBC Berlin/);
    await message(page, 2).hover();
    await page.getByTestId('ladder-tooltip').waitFor();
    assert.match(await page.getByTestId('ladder-tooltip').innerText(), /took\s+1\.4 ms to pass it on\s+path\s+SBC Berlin 127\.0\.0\.1:5060 → SBC Berlin 127\.0\.0\.1:5062/);
    await shoot(page, 'ladder-aliases-dark-1600');
  });

  check('panel: logs and quality reports stand among the messages', async () => {
    const flow = await drawFlow('logs', { mode: 'light', height: 700 });
    assert.ok(flow.items.some((i) => i.kind === 'event') && flow.items.some((i) => i.kind === 'media'));
    assert.equal(await messages(page).count(), flow.items.length);
    await shoot(page, 'ladder-logs-light-1600');
  });

  check('panel: a click opens the message as it was on the wire, arrows lead through the call', async () => {
    const flow = await drawFlow('two-legs', { mode: 'light' });
    await message(page, 6).click();
    const drawer = page.getByTestId('ladder-drawer');
    assert.equal((await page.getByTestId('ladder-raw').innerText()).trimEnd(), flow.items[6].raw.replaceAll('\r\n', '\n').trimEnd());
    assert.match(await drawer.innerText(), /2026-11-21 02:38:35\.847598 UTC/);
    assert.match(await drawer.innerText(), /127\.0\.0\.1:5062 \(Kamailio lab A\)/);
    await shoot(page, 'ladder-drawer-light-1600');
    await page.getByRole('button', { name: 'Next message' }).click();
    assert.match(await drawer.innerText(), /100 Trying/);
    await page.getByRole('button', { name: 'Previous message' }).click();
    await page.getByRole('button', { name: 'Close message' }).click();
    assert.equal(await drawer.count(), 0);
  });

  check('panel: changes to the same message on another hop are shown', async () => {
    await drawFlow('two-legs');
    await message(page, 6).click();
    await page.getByRole('button', { name: 'Changes to 3' }).click();
    const diff = page.getByTestId('ladder-diff');
    assert.ok((await diff.locator('[data-diff=added]').count()) > 0);
    assert.match(await diff.locator('[data-diff=removed]', { hasText: 'Max-Forwards' }).innerText(), /69/);
    assert.match(await diff.locator('[data-diff=added]', { hasText: 'Max-Forwards' }).innerText(), /68/);
    await shoot(page, 'ladder-diff-dark-1600');
    await message(page, 6).click();
  });

  check('panel: the raw text goes to the clipboard', async () => {
    const flow = await drawFlow('busy');
    await page.evaluate(() => {
      Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: async (t) => void (window.copied = t) } });
    });
    await message(page, 0).click();
    await page.getByTestId('ladder-copy').click();
    await page.getByText('Copied').waitFor();
    assert.equal(await page.evaluate(() => window.copied), flow.items[0].raw);
  });

  check('panel: all of it works by keyboard', async () => {
    await drawFlow('two-legs');
    const focused = () => page.evaluate(() => Number(document.activeElement?.getAttribute('data-index') ?? -1));
    await message(page, 0).focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    assert.equal(await focused(), 2);
    await page.keyboard.press('Enter');
    await page.getByTestId('ladder-drawer').waitFor();
    await page.keyboard.press('ArrowDown');
    assert.match(await page.getByTestId('ladder-drawer').getAttribute('aria-label'), /Message 4/);
    await page.keyboard.press('Escape');
    assert.equal(await page.getByTestId('ladder-drawer').count(), 0);
    assert.equal(await focused(), 3);
    await page.keyboard.press('End');
    assert.equal(await focused(), 27);
    await page.keyboard.press('ArrowLeft');
    assert.equal(await focused(), 20, 'the BYE that it answers, past all of leg B');
    await page.keyboard.press('Home');
    assert.equal(await focused(), 0);
    await page.keyboard.press('ArrowRight');
    assert.equal(await focused(), 1, 'the 100 Trying of the INVITE');
    await page.keyboard.press('ArrowRight');
    assert.equal(await focused(), 11, 'the 180 of leg A, past all of leg B');
  });

  check('panel: legs and copies can be taken out, and put back', async () => {
    const flow = await drawFlow('two-legs');
    await page.getByTestId('ladder-leg-1').click();
    assert.equal(await messages(page).count(), flow.items.filter((i) => i.leg === 0).length);
    await page.getByTestId('ladder-leg-0').click();
    await page.getByText('All 28 messages are filtered out.').waitFor();
    await page.getByTestId('ladder-leg-0').click();
    await page.getByTestId('ladder-leg-1').click();
    await page.getByRole('button', { name: 'Copies 7' }).click();
    assert.equal(await messages(page).count(), 21);
    await shoot(page, 'ladder-without-copies-dark-1600');
  });

  check('panel: times as clock, since the start, and between messages', async () => {
    await drawFlow('two-legs');
    await page.getByText('+0.155819').waitFor();
    await page.getByRole('button', { name: 'Clock' }).click();
    await page.getByText('02:38:36.000847').waitFor();
    await page.getByRole('button', { name: 'Delta' }).click();
    await page.getByText('152 ms', { exact: true }).first().waitFor();
    assert.equal(await page.getByText('+0.155819').count(), 0);
    await drawFlow('two-legs', { options: { timeMode: 'clock', showSummary: false, hideCopies: true } });
    await page.getByText('02:38:36.000847').waitFor();
    assert.equal(await page.getByTestId('ladder-summary').count(), 0);
    assert.equal(await messages(page).count(), 21);
  });

  check('panel: the pointer brings up what a message is about', async () => {
    await drawFlow('rtcp', { mode: 'light', height: 700 });
    await message(page, 0).hover();
    const tip = page.getByTestId('ladder-tooltip');
    await tip.waitFor();
    const text = await tip.innerText();
    for (const want of ['INVITE bob', '10.99.0.1:5171 → 10.99.0.1:5060', 'audio 10.99.0.1', 'UDP']) {
      assert.ok(text.includes(want), `${want} in ${text}`);
    }
    await shoot(page, 'ladder-tooltip-light-1600');
    assert.match(await message(page, 0).locator('title').textContent(), /^audio 10\.99\.0\.1:\d+ .*PCMU/);
  });

  check('panel: media reports are drawn beside the signalling, silence has its row', async () => {
    await drawFlow('rtcp', { height: 700 });
    assert.equal(await page.getByTestId('ladder-gap').count(), 2);
    await page.getByText('5.00 s of silence').first().waitFor();
    await message(page, 9).click();
    assert.match(await page.getByTestId('ladder-raw').innerText(), /^\{\n {2}"/, 'JSON laid out');
    await shoot(page, 'ladder-rtcp-dark-1600');
    await page.getByRole('button', { name: 'Media 9' }).click();
    assert.equal(await messages(page).count(), 13);
    assert.equal(await page.locator('[data-testid^="ladder-column-"]').count(), 3);
  });

  check('panel: where it is narrow it scrolls sideways with the times in place, or fits', async () => {
    await drawFlow('rtcp', { width: 760, height: 640, mode: 'light' });
    const scroll = page.getByTestId('ladder-scroll');
    const over = () => scroll.evaluate((e) => e.scrollWidth - e.clientWidth);
    assert.ok((await over()) > 100);
    await scroll.evaluate((e) => (e.scrollLeft = 200));
    const time = await page.getByText('+0.002566').boundingBox();
    assert.ok(time.x > 0 && time.x < 140, `the time column stays at ${time.x}`);
    await shoot(page, 'ladder-narrow-light-760');
    await page.getByRole('button', { name: 'Fit' }).click();
    assert.ok((await over()) <= 0);
    await message(page, 0).click();
    await page.getByTestId('ladder-drawer').waitFor();
    await shoot(page, 'ladder-narrow-drawer-light-760');
  });

  check('panel: a call of 2,800 messages draws only what is in sight, and all of it can be reached', async () => {
    await drawFlow(longFlow(fixture('two-legs'), 100));
    assert.ok((await messages(page).count()) < 150);
    await message(page, 0).focus();
    await page.keyboard.press('End');
    await message(page, 2799).waitFor();
    await page.waitForFunction(() => document.activeElement?.getAttribute('data-index') === '2799');
    await page.getByTestId('ladder-scroll').evaluate((e) => (e.scrollTop = e.scrollHeight / 2));
    await page.waitForFunction(() => {
      const box = document.querySelector('[data-testid=ladder-scroll]').getBoundingClientRect();
      const middle = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
      return middle.some((e) => e.closest('[data-index]'));
    });
    assert.ok((await messages(page).count()) < 150);
  });

  check('panel: a message to oneself is a loop, an event a dot, a broken message says so', async () => {
    const flow = fixture('busy');
    flow.items[1] = { ...flow.items[1], dst: flow.items[1].src };
    flow.items[3] = { ...flow.items[3], kind: 'event', method: '', status: 0, label: 'NOTICE: branch failed', sdp: '', src: 1, dst: 1 };
    flow.items[4] = { ...flow.items[4], parse_error: 'Content-Length larger than the body' };
    flow.truncated = 'the first 9 of 12 messages';
    await drawFlow(flow, { height: 500 });
    assert.equal(await message(page, 3).locator('circle').count(), 1);
    assert.equal(await message(page, 1).locator('path').count(), 2);
    await page.getByText('This ladder is not whole: the first 9 of 12 messages').waitFor();
    await page.getByText('MALFORMED').waitFor();
    await message(page, 4).click();
    await page.getByRole('alert').getByText('Content-Length larger than the body').waitFor();
    await shoot(page, 'ladder-oddities-dark-1600');
  });

  check('panel: IPv6, REGISTER and a held call', async () => {
    await drawFlow('ipv6', { mode: 'light', width: 1000, height: 560 });
    await page.getByText('::1', { exact: true }).waitFor();
    await shoot(page, 'ladder-ipv6-light-1000');
    await drawFlow('register', { height: 420 });
    assert.ok((await page.locator('tspan', { hasText: '401 Unauthorized' }).count()) > 0);
    await shoot(page, 'ladder-register-dark-1600');
    await drawFlow('hold');
    assert.ok((await page.getByText(/^SDP (sendonly|inactive)$/).count()) > 0);
    await shoot(page, 'ladder-hold-dark-1600');
  });

  check('panel: no data, other data and loading say what they are', async () => {
    await draw([], { height: 400, width: 1000 });
    assert.match(await page.getByTestId('ladder-state').innerText(), /No call to show/);
    const series = flowFrame(fixture('busy'));
    series.schema.fields = series.schema.fields.slice(0, 1);
    series.data = { values: series.data.values.slice(0, 1), nanos: series.data.nanos.slice(0, 1) };
    await draw([series], { height: 400, width: 1000, mode: 'light' });
    assert.match(await page.getByTestId('ladder-state').innerText(), /Missing: src, dst\. Found: time/);
    await shoot(page, 'ladder-unusable-light-1000');
    await draw([], { state: 'Loading' });
    await page.getByTestId('ladder-loading').waitFor();
  });
}

// The app's pages, with the nested panel on the nested datasource, as on a server.
import assert from 'node:assert/strict';
import { shoot } from './browser.mjs';
import { fixture } from './server.mjs';

export default function appChecks({ page, server, check }) {
  const open = async (path, mode = 'dark', width = 1600, height = 900) => {
    await page.setViewportSize({ width, height });
    await page.mouse.move(0, 0);
    await page.evaluate(([p, m]) => window.host.app(p, m), [path, mode]);
  };
  const rows = () => page.getByRole('table', { name: 'Calls' }).locator('tbody tr');
  const lastFilter = () => server.queries.filter((q) => q.queryType === 'calls').at(-1)?.filter;
  const twoLegs = fixture('two-legs').legs[0].call_id;

  check('app: calls are found and listed, newest first', async () => {
    await open('/a/heplake-app/calls?from=now-6h&to=now');
    await page.getByTestId('calls-count').waitFor();
    assert.equal(await rows().count(), fixture('calls').length);
    assert.equal(lastFilter(), 'method = INVITE');
    assert.match(await rows().first().innerText(), /failed 486 Busy Here/);
    await shoot(page, 'app-calls-dark-1600');
    await open('/a/heplake-app/calls?from=now-6h&to=now', 'light', 1000);
    await page.getByTestId('calls-count').waitFor();
    await shoot(page, 'app-calls-light-1000');
  });

  check('app: the form makes the filter, and the address keeps it', async () => {
    await open('/a/heplake-app/calls?from=now-6h&to=now');
    await page.locator('#search-status').fill('486');
    await page.locator('#search-from').fill('ali*');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelectorAll('table[aria-label=Calls] tbody tr').length === 3);
    assert.equal(lastFilter(), 'method = INVITE and from_user like "ali%" and final_status = 486');
    assert.match(page.url(), /status=486/);
    assert.match(page.url(), /from=now-6h/);
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.waitForFunction((n) => document.querySelectorAll('table[aria-label=Calls] tbody tr').length === n, fixture('calls').length);
    await open('/a/heplake-app/calls?from=now-6h&to=now&status=404&outcome=failed&kind=all');
    await page.getByTestId('calls-count').waitFor();
    assert.equal(lastFilter(), 'final_status = 404 and outcome = failed');
    await page.locator('#search-status').fill('40');
    await page.getByText('A status like 486, 5xx or 500-503').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Search' }).isDisabled());
  });

  check('app: any field can be searched for by the form', async () => {
    await open('/a/heplake-app/calls?from=now-6h&to=now', 'light', 1200);
    await page.getByTestId('calls-count').waitFor();
    await page.getByRole('button', { name: 'Filter form' }).click();
    const line = page.getByTestId('heplake-condition').first();
    await line.getByLabel('Field').click();
    await page.keyboard.type('pai_user');
    await page.getByRole('option', { name: /^pai_user/ }).click();
    await line.getByLabel('Operator').click();
    await page.getByRole('option', { name: /^is like/ }).click();
    await line.getByLabel('Value').fill('+4930%');
    await shoot(page, 'app-builder-light-1200');
    await page.getByRole('button', { name: 'Search', exact: true }).click();
    await page.waitForFunction(() => new URLSearchParams(location.search).get('q') === 'pai_user like +4930%');
    assert.equal(lastFilter(), 'method = INVITE and pai_user like +4930%');
  });

  check('app: columns sort', async () => {
    await open('/a/heplake-app/calls?from=now-6h&to=now');
    await page.getByTestId('calls-count').waitFor();
    await page.getByRole('button', { name: 'Messages' }).click();
    const counts = await rows().locator('td:nth-child(8)').allInnerTexts();
    const numbers = counts.map((t) => parseInt(t, 10));
    assert.deepEqual(numbers, [...numbers].sort((a, b) => b - a));
  });

  check('app: an error of the query and an empty result are said in words', async () => {
    await open('/a/heplake-app/calls?from=now-6h&to=now&q=syntax%20%3D%20x');
    await page.getByText('filter: position 1: expected a field').waitFor();
    await shoot(page, 'app-error-dark-1600');
    await open('/a/heplake-app/calls?from=now-6h&to=now&status=699', 'light');
    await page.getByText('No calls found').waitFor();
  });

  check('app: from a call found to its ladder, the time range stays', async () => {
    await open('/a/heplake-app/calls?from=now-6h&to=now');
    await page.getByRole('link', { name: `Open call ${twoLegs}` }).click();
    await page.getByTestId('ladder').waitFor();
    assert.match(page.url(), /\/calls\/call\/.*from=now-6h&to=now/);
    assert.equal(await page.locator('[data-testid^="ladder-message-"]').count(), 28);
    await page.getByTestId('ladder-message-0').click();
    await page.getByTestId('ladder-drawer').waitFor();
    await page.mouse.move(0, 0);
    await shoot(page, 'app-call-dark-1600');
    await open(`/a/heplake-app/calls/call/${encodeURIComponent(twoLegs)}?from=now-6h&to=now`, 'light', 1000);
    await page.getByTestId('ladder').waitFor();
    await shoot(page, 'app-call-light-1000');
  });

  check('app: messages as a table that is searched by their text', async () => {
    await open(`/a/heplake-app/calls/call/${encodeURIComponent(twoLegs)}?from=now-6h&to=now`, 'light', 1600);
    await page.getByRole('tab', { name: 'Messages' }).click();
    const table = page.getByRole('table', { name: 'Messages' }).locator('tbody tr');
    await table.first().waitFor();
    assert.equal(await table.count(), 28);
    await page.getByLabel('Search in messages').fill('x-cid');
    assert.ok((await table.count()) < 28 && (await table.count()) > 0);
    await table.first().click();
    await page.getByText(/^X-CID$/i).first().waitFor();
    await page.waitForTimeout(400);
    await shoot(page, 'app-messages-light-1600');
  });

  check('app: media quality with a row for each stream', async () => {
    const callId = fixture('rtcp').legs[0].call_id;
    await open(`/a/heplake-app/calls/call/${callId}?from=now-6h&to=now`);
    await page.getByRole('tab', { name: 'Media quality' }).click();
    await page.getByTestId('quality-cards').waitFor();
    assert.equal(await page.getByRole('table', { name: 'Streams' }).locator('tbody tr').count(), 7);
    await shoot(page, 'app-quality-dark-1600');
    await open(`/a/heplake-app/calls/call/${encodeURIComponent(twoLegs)}/quality?from=now-6h&to=now`, 'light');
    await page.getByText("Nobody reported on this call's media").waitFor();
  });

  check('app: a Call-ID with any character in it comes through', async () => {
    for (const id of ['a/b c?d#e', '100%', '%41', '~25', '!!:x*y']) {
      server.queries.length = 0;
      const segment = encodeURIComponent(id.replace(/~/g, '~7E').replace(/%/g, '~25'));
      await open(`/a/heplake-app/calls/call/${segment}?from=now-6h&to=now`);
      await page.getByRole('heading', { name: id, exact: true }).waitFor();
      await page.getByText('No call to show').waitFor();
      assert.deepEqual([...new Set(server.queries.map((q) => q.callId))], [id]);
    }
  });
}

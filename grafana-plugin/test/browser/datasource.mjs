// The datasource's editors and its class, loaded from the built module.js.
import assert from 'node:assert/strict';
import { shoot } from './browser.mjs';
import { fixture } from './server.mjs';

export default function datasourceChecks({ page, server, check }) {
  const query = () => page.evaluate(() => window.query);
  const open = async (q, mode = 'dark', app = 'dashboard', width = 1000) => {
    await page.setViewportSize({ width, height: 520 });
    await page.evaluate(([a, b, c]) => window.host.queryEditor(a, b, c), [q, mode, app]);
    await page.getByTestId('heplake-query-editor').waitFor();
  };
  const type = (label) => page.getByRole('radio', { name: label, exact: true }).click({ force: true });

  check('query editor: starts with calls, and each type brings its own fields', async () => {
    await open({ refId: 'A' });
    await page.locator('#heplake-filter').waitFor();
    await page.locator('#heplake-limit').waitFor();
    await type('Flow');
    assert.equal((await query()).queryType, 'flow');
    await page.locator('#heplake-callid').fill(' 1-15155@127.0.0.1 ');
    await page.keyboard.press('Enter');
    assert.equal((await query()).callId, '1-15155@127.0.0.1');
    assert.ok((await page.evaluate(() => window.runs)) > 0);
    await shoot(page, 'editor-flow-dark-1000');
    await type('Series');
    assert.equal((await query()).metric, 'messages');
    await page.locator('#heplake-metric').click();
    await page.getByRole('option', { name: /^ASR/ }).click();
    assert.equal((await query()).metric, 'asr');
    await page.locator('#heplake-group').click();
    // One after the other: a click on a list that is being drawn anew goes nowhere.
    await page.getByRole('option', { name: /^Method/ }).click();
    await page.waitForFunction(() => window.query.groupBy === 'method');
    await page.getByRole('option', { name: /^Status/ }).click();
    await page.waitForFunction(() => window.query.groupBy === 'method,status');
    await page.keyboard.press('Escape');
    await shoot(page, 'editor-series-dark-1000');
  });

  check('query editor: the filter has help, and examples to start from', async () => {
    await open({ refId: 'A', queryType: 'calls' }, 'light');
    await page.getByRole('button', { name: 'Filter help' }).click();
    await shoot(page, 'editor-filter-help-light-1000');
    await page.getByRole('button', { name: 'status >= 500', exact: true }).click();
    assert.equal((await query()).filter, 'status >= 500');
    assert.equal(await page.getByTestId('heplake-filter-help').count(), 0);
  });

  check('query editor: a filter is built by its fields, with and, or, not', async () => {
    await open({ refId: 'A', queryType: 'calls' }, 'dark');
    await page.getByRole('button', { name: 'Filter form' }).click();
    const builder = page.getByTestId('heplake-builder');
    const line = (n) => builder.getByTestId('heplake-condition').nth(n);
    // Long lists are drawn in part: what is typed brings the option into sight.
    const choose = async (box, name) => {
      await box.click();
      await page.keyboard.type(name);
      await page.getByRole('option', { name }).first().click();
    };
    await choose(line(0).getByLabel('Field'), 'user_agent');
    await choose(line(0).getByLabel('Value'), 'Kamailio lab A');
    await page.waitForFunction(() => window.query.filter === 'user_agent = "Kamailio lab A"');
    await builder.getByRole('button', { name: 'Group', exact: true }).click();
    await choose(line(1).getByLabel('Field'), 'final_status');
    await choose(line(1).getByLabel('Operator'), 'is one of');
    await line(1).getByLabel('Value').fill('486, 600');
    await builder.getByRole('button', { name: 'Condition', exact: true }).last().click();
    await choose(line(2).getByLabel('Field'), 'outcome');
    await choose(line(2).getByLabel('Value'), 'cancelled');
    await page.waitForFunction(() => window.query.filter === 'user_agent = "Kamailio lab A" and (final_status in (486, 600) or outcome = cancelled)');
    await choose(builder.getByLabel('How conditions are joined').nth(1), 'None of');
    await page.waitForFunction(() => window.query.filter.endsWith('and not (final_status in (486, 600) or outcome = cancelled)'));
    await shoot(page, 'editor-builder-dark-1000');
    await builder.getByRole('button', { name: 'Remove the group' }).click();
    await page.waitForFunction(() => window.query.filter === 'user_agent = "Kamailio lab A"');
    // What is typed is shown by its fields, and what is no filter is said to be none.
    await page.locator('#heplake-filter').fill('status = 5xx or src_ip in 10.0.0.0/8');
    assert.equal(await builder.getByTestId('heplake-condition').count(), 2);
    await page.locator('#heplake-filter').fill('status = 5xx or');
    await builder.getByText('cannot be read').waitFor();
  });

  check('query editor: SQL starts from an example and explains its macros', async () => {
    await open({ refId: 'A', queryType: 'calls' }, 'light');
    await type('SQL');
    assert.match((await query()).sql, /FROM sip\nWHERE \$__timeFilter\(time\)/);
    await page.getByText('the width of a step in seconds').waitFor();
    await page.waitForTimeout(300);
    await shoot(page, 'editor-sql-light-1000');
  });

  check('query editor: an alert rule is offered only what gives numbers', async () => {
    await open({ refId: 'A', queryType: 'series' }, 'dark', 'unified-alerting');
    assert.deepEqual(await page.getByRole('radio').evaluateAll((r) => r.map((e) => e.parentElement.textContent)), ['Series', 'SQL']);
  });

  check('config editor: settings, secrets and a wrong address', async () => {
    await page.setViewportSize({ width: 1000, height: 860 });
    await page.evaluate(() => window.host.configEditor({ jsonData: {}, secureJsonFields: { password: true }, secureJsonData: {} }, 'light'));
    await page.locator('#heplake-url').fill('clickhouse:8123');
    await page.getByText('An address like http://clickhouse:8123').waitFor();
    await page.locator('#heplake-url').fill('http://clickhouse:8123');
    await page.locator('#heplake-database').fill('heplake');
    await page.locator('#heplake-user').fill('grafana');
    await page.locator('#heplake-token').fill('t0ken');
    const options = () => page.evaluate(() => window.options);
    assert.deepEqual((await options()).jsonData, { url: 'http://clickhouse:8123', database: 'heplake', user: 'grafana' });
    assert.deepEqual((await options()).secureJsonData, { token: 't0ken' });
    await page.locator('#heplake-aliases').fill('10.0.0.1=SBC Berlin\nsbc=PBX');
    await page.getByText('“sbc” is no address, no address:port and no network').waitFor();
    await page.locator('#heplake-aliases').fill('10.0.0.1=SBC Berlin\n10.9.0.0/16=Carrier\n');
    assert.deepEqual((await options()).jsonData.aliases, ['10.0.0.1=SBC Berlin', '10.9.0.0/16=Carrier']);
    await shoot(page, 'config-light-1000');
    await page.getByRole('button', { name: 'Reset' }).click();
    assert.equal((await options()).secureJsonFields.password, false);
  });

  check('datasource: variables are filled in before the query leaves, half-typed queries stay', async () => {
    server.queries.length = 0;
    const callId = fixture('busy').legs[0].call_id;
    const result = await page.evaluate(async (id) => {
      const { data } = window.host;
      const ds = await window.host.getDatasource();
      Object.assign(window.variables, { callid: id, method: ['INVITE', 'two words'] });
      const range = data.getDefaultTimeRange();
      const targets = [
        { refId: 'A', queryType: 'flow', callId: '$callid' },
        { refId: 'B', queryType: 'calls', filter: 'method in ($method)' },
        { refId: 'C', queryType: 'flow', callId: ' ' },
        { refId: 'D', queryType: 'sql' },
      ];
      // Grafana asks filterQuery before it asks query.
      const request = { targets: targets.filter((t) => ds.filterQuery(t)), range, intervalMs: 1000, maxDataPoints: 100, requestId: 'x', scopedVars: {} };
      const frames = await new Promise((done, fail) => ds.query(request).subscribe({ next: (r) => r.state !== 'Loading' && done(r.data), error: fail }));
      return { frames: frames.map((f) => [f.name, f.length, f.meta?.preferredVisualisationPluginId]), kept: targets.map((t) => ds.filterQuery(t)) };
    }, callId);
    assert.deepEqual(result.kept, [true, true, false, false]);
    assert.deepEqual(
      server.queries.map((q) => [q.refId, q.callId ?? q.filter]),
      [['A', callId], ['B', 'method in (INVITE, "two words")']]
    );
    assert.deepEqual(result.frames[0], ['flow', fixture('busy').items.length, 'heplake-ladder-panel']);
  });
}

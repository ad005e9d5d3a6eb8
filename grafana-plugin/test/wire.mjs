// Flows and calls in the form in which the datasource's backend answers:
// data frames as JSON, times in milliseconds with the rest in nanos.

const micros = (text) => Date.parse(text.slice(0, 19) + 'Z') * 1000 + Number(text.slice(20).replace('Z', '').padEnd(6, '0'));

function frame(name, fields, meta) {
  return {
    schema: {
      name,
      refId: 'A',
      meta,
      fields: fields.map(([n, type, , config]) => ({ name: n, type, typeInfo: { frame: goType(type) }, config })),
    },
    data: {
      values: fields.map(([, type, values]) => (type === 'time' ? values.map((v) => (v ? Math.floor(micros(v) / 1000) : null)) : values)),
      nanos: fields.map(([, type, values]) => (type === 'time' ? values.map((v) => (v ? (micros(v) % 1000) * 1000 : 0)) : null)),
    },
  };
}

const goType = (type) => ({ time: 'time.Time', number: 'float64', boolean: 'bool' })[type] ?? 'string';

/** A flow as the frame of a query of type "flow". */
export function flowFrame(flow) {
  const of = (get) => flow.items.map(get);
  const end = (i, what) => flow.participants[i]?.[what] ?? '';
  return frame(
    'flow',
    [
      ['time', 'time', of((i) => i.time)],
      ['src', 'string', of((i) => end(i.src, 'address'))],
      ['dst', 'string', of((i) => end(i.dst, 'address'))],
      ['src_name', 'string', of((i) => end(i.src, 'name'))],
      ['dst_name', 'string', of((i) => end(i.dst, 'name'))],
      ['leg', 'number', of((i) => i.leg)],
      ...['call_id', 'kind', 'method'].map((n) => [n, 'string', of((i) => i[n])]),
      ['status', 'number', of((i) => i.status)],
      ['reason', 'string', of((i) => i.reason)],
      ['cseq', 'number', of((i) => i.cseq)],
      ...['cseq_method', 'label', 'sdp'].map((n) => [n, 'string', of((i) => i[n])]),
      ...['retransmission', 'copy'].map((n) => [n, 'boolean', of((i) => i[n])]),
      ...['offset_us', 'delta_us'].map((n) => [n, 'number', of((i) => i[n])]),
      ...['transport', 'node', 'parse_error', 'raw'].map((n) => [n, 'string', of((i) => i[n])]),
      ['src_alias', 'string', of((i) => end(i.src, 'alias'))],
      ['dst_alias', 'string', of((i) => end(i.dst, 'alias'))],
      ['src_addr', 'string', of((i) => i.src_addr)],
      ['dst_addr', 'string', of((i) => i.dst_addr)],
      ...['capture_id', 'relay_us', 'response_us'].map((n) => [n, 'number', of((i) => i[n])]),
    ],
    {
      type: 'table',
      preferredVisualisationPluginId: 'heplake-ladder-panel',
      custom: Object.fromEntries(['call', 'legs', 'participants', 'findings', 'clocks', 'truncated'].map((n) => [n, flow[n]])),
    }
  );
}

/** Calls as the frame of a query of type "calls". */
export function callsFrame(calls) {
  const type = (name) => {
    if (['start', 'ring', 'answer', 'end', 'last_seen'].includes(name)) {
      return 'time';
    }
    return calls.some((c) => typeof c[name] === 'number') ? 'number' : 'string';
  };
  const names = Object.keys(calls[0]);
  return frame(
    'calls',
    names.map((n) => [
      n,
      type(n),
      calls.map((c) => (Array.isArray(c[n]) ? c[n].join(', ') : c[n])),
    ]),
    { type: 'table' }
  );
}

/**
 * A call as long as one wants: the real messages over and over, each round a
 * second later, so that there is something to scroll.
 */
export function longFlow(flow, rounds) {
  const items = [];
  const shift = (text, us) => {
    const t = micros(text) + us;
    return new Date(Math.floor(t / 1000)).toISOString().replace('Z', String(t % 1000).padStart(3, '0') + 'Z');
  };
  for (let r = 0; r < rounds; r++) {
    for (const item of flow.items) {
      const offset = item.offset_us + r * 1_000_000;
      items.push({ ...item, index: items.length, offset_us: offset, time: shift(item.time, r * 1_000_000), cseq: item.cseq + r });
    }
  }
  items.sort((a, b) => a.offset_us - b.offset_us).forEach((i, n, all) => {
    i.index = n;
    i.delta_us = n ? i.offset_us - all[n - 1].offset_us : 0;
  });
  return { ...flow, items };
}

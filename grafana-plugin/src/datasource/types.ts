import { DataSourceJsonData } from '@grafana/data';
import { DataQuery } from '@grafana/schema';

export type QueryType = 'calls' | 'flow' | 'quality' | 'series' | 'logs' | 'sql';

/** What a filter is about: it decides which fields there are. */
export type FilterTarget = 'calls' | 'messages' | 'events';

/** Metrics that are of single messages; those of calls take all that calls take. */
const ofMessages = ['messages', 'errors', 'registrations', 'reg_failures', 'ira'];

export function filterTarget(query: HeplakeQuery): FilterTarget {
  switch (query.queryType) {
    case 'logs':
      return 'events';
    case 'series': {
      const metric = query.metric ?? 'messages';
      return ofMessages.includes(metric) || metric.startsWith('rrd_ms') ? 'messages' : 'calls';
    }
    default:
      return 'calls';
  }
}

/** A query as it goes to the backend. Only the fields of its type are sent. */
export interface HeplakeQuery extends DataQuery {
  queryType: QueryType;
  /** calls, series, logs: the filter language. */
  filter?: string;
  /** flow, quality, logs: a Call-ID of any leg, or a correlation id. */
  callId?: string;
  /** series */
  metric?: string;
  /** series: column names, comma separated. */
  groupBy?: string;
  /** calls, series, logs */
  limit?: number;
  /** sql, with macros. */
  sql?: string;
}

/** Settings that everybody who may edit the data source can see. */
export interface HeplakeSettings extends DataSourceJsonData {
  /** Address of ClickHouse: http://host:8123 or clickhouse://host:9000. */
  url?: string;
  database?: string;
  user?: string;
  tlsSkipVerify?: boolean;
  /** Names of addresses, each as address=name, as "aliases" of heplake.yaml has them. */
  aliases?: string[];
  /** Address of heplake's own API, whose aliases are added: http://host:9080. */
  api?: string;
}

/** Settings that never leave the server once saved. */
export interface HeplakeSecrets {
  password?: string;
  token?: string;
}

export const defaultQuery: Omit<HeplakeQuery, 'refId'> = { queryType: 'calls', filter: '', limit: 200 };

/** The bucket has a name of its own: as "time" it would be what WHERE compares, too. */
export const defaultSQL = `SELECT
  $__timeInterval(time) AS t,
  method,
  count() AS messages
FROM sip
WHERE $__timeFilter(time) AND method != ''
GROUP BY t, method
ORDER BY t`;

export interface Choice {
  value: string;
  label: string;
  description: string;
}

/** The figures a series query knows, by the names of the API. */
export const metrics: Choice[] = [
  { value: 'messages', label: 'Messages', description: 'SIP messages' },
  { value: 'errors', label: 'Errors', description: 'Responses with status 400 and above' },
  { value: 'asr', label: 'ASR', description: 'Answer-seizure ratio, %' },
  { value: 'ner', label: 'NER', description: 'Network effectiveness ratio, %' },
  { value: 'ser', label: 'SER', description: 'Session establishment ratio, % (RFC 6076)' },
  { value: 'seer', label: 'SEER', description: 'Session establishment effectiveness ratio, % (RFC 6076)' },
  { value: 'isa', label: 'ISA', description: 'Ineffective session attempts, % (RFC 6076)' },
  { value: 'scr', label: 'SCR', description: 'Session completion ratio, % (RFC 6076)' },
  { value: 'srd_ms', label: 'SRD', description: 'Session request delay, ms (RFC 6076)' },
  { value: 'sdd_ms', label: 'SDD', description: 'Session disconnect delay, ms (RFC 6076)' },
  { value: 'sdt_s', label: 'SDT', description: 'Session duration time, s (RFC 6076)' },
  { value: 'rrd_ms', label: 'RRD', description: 'Registration request delay, ms (RFC 6076)' },
  { value: 'pdd_ms', label: 'PDD', description: 'Post-dial delay, ms' },
  { value: 'acd_s', label: 'ACD', description: 'Average call duration, s' },
  { value: 'mos', label: 'MOS', description: 'Mean opinion score, 1 to 5' },
  { value: 'jitter_ms', label: 'Jitter', description: 'Mean jitter, ms' },
  { value: 'loss_percent', label: 'Loss', description: 'Packets lost, %' },
  { value: 'registrations', label: 'Registrations', description: 'Registrations accepted' },
  { value: 'reg_failures', label: 'Registration failures', description: 'Registrations refused' },
  { value: 'active_calls', label: 'Active calls', description: 'Calls up at the time' },
  { value: 'cps', label: 'CPS', description: 'Call attempts per second' },
];

/** Columns that a series is commonly split by. Others can be typed. */
export const groupColumns: Choice[] = [
  { value: 'method', label: 'Method', description: 'Request method; responses have none' },
  { value: 'cseq_method', label: 'Transaction', description: 'Method of the CSeq: responses count with their request' },
  { value: 'class', label: 'Class', description: 'request, 1xx, 2xx …' },
  { value: 'status', label: 'Status', description: 'Response status' },
  { value: 'reason', label: 'Reason', description: 'Reason phrase' },
  { value: 'node', label: 'Node', description: 'Capture agent' },
  { value: 'src_ip', label: 'Source', description: 'Sender address' },
  { value: 'dst_ip', label: 'Destination', description: 'Receiver address' },
  { value: 'transport', label: 'Transport', description: 'udp, tcp, tls, ws, wss, sctp' },
  { value: 'user_agent', label: 'User agent', description: 'User-Agent header' },
  { value: 'from_domain', label: 'From domain', description: 'Host of From' },
  { value: 'to_domain', label: 'To domain', description: 'Host of To' },
  { value: 'q850', label: 'Q.850', description: 'Cause of the Reason header' },
  { value: 'tenant', label: 'Tenant', description: 'Whose traffic it is' },
];

export const queryTypes: Array<Choice & { value: QueryType }> = [
  { value: 'calls', label: 'Calls', description: 'One row for each call, newest first' },
  { value: 'flow', label: 'Flow', description: 'Every message of one call, for the SIP ladder' },
  { value: 'quality', label: 'Quality', description: 'What was reported about the media of one call' },
  { value: 'series', label: 'Series', description: 'A figure over time, for graphs and alerts' },
  { value: 'logs', label: 'Logs', description: 'Log lines, CDRs and packets that would not decode' },
  { value: 'sql', label: 'SQL', description: 'Your own query on the heplake tables' },
];

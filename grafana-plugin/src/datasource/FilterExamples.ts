/** Filters that people start from, with what they find. */
export const filterExamples: Array<[string, string]> = [
  ['status >= 500', 'server failures'],
  ['outcome = failed and to_user like "49%"', 'failed calls to numbers that begin with 49'],
  ['from_user = "alice" or to_user = "alice"', 'calls from or to alice'],
  ['src_ip in 10.0.0.0/8 and not status = 401', 'from a network, without challenges'],
  ['method = INVITE and duration_s < 5', 'calls shorter than five seconds'],
  ['user_agent ~ "(?i)friendly-scanner|sipvicious"', 'scanners, by regular expression'],
];

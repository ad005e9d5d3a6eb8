// Package dashboards holds Grafana dashboards as plain files. There is no code
// in it but the tests, which run every query of every dashboard.
package dashboards

// Package e2e has no code of its own: its tests run heplake as its users do.
// They build the binary, start it in a folder of its own with every port
// chosen by the kernel, send it what real programs send (Kamailio, sipp,
// rtpengine, captures), and ask it by its commands, its API, its metrics and
// SQL.
//
// The programs come with `make test`. Where one is missing the tests that need
// it fail when CI or HEPLAKE_E2E is set, and are skipped, saying so, otherwise.
// HEPLAKE_E2E_BINARY names a heplake to test in place of a fresh build.
package e2e

// Package top shows what a running heplake does, live in a terminal, from its
// metrics alone: what comes, what is stored, what is lost and why, what waits,
// how long it takes, and who sends.
//
// Read takes a sample, History turns samples into a Frame of rates and
// quantiles, Render draws a frame as text of a width, and Run keeps doing so.
package top

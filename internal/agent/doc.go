// Package agent is what a HEP capture agent is made of: it finds SIP, RTCP, RTP
// and HEP in captured traffic ([Extractor]), reads network interfaces
// ([Interface]), and sends HEP to a collector ([Sender]).
//
// The commands capture, pipe and replay are agents; the listeners that sniff an
// interface or take IP-in-IP mirrors share its extractor.
package agent

package query

import "strconv"

// q850 names the causes that SIP networks send (ITU-T Q.850, section 2.2.7).
var q850 = map[uint16]string{
	1: "unallocated number", 2: "no route to transit network", 3: "no route to destination",
	16: "normal call clearing", 17: "user busy", 18: "no user responding", 19: "no answer from user",
	20: "subscriber absent", 21: "call rejected", 22: "number changed", 26: "non-selected user clearing",
	27: "destination out of order", 28: "invalid number format", 29: "facility rejected", 31: "normal, unspecified",
	34: "no circuit available", 38: "network out of order", 41: "temporary failure", 42: "switching equipment congestion",
	44: "requested circuit not available", 47: "resource unavailable", 50: "facility not subscribed",
	57: "bearer capability not authorized", 58: "bearer capability not available", 63: "service not available",
	65: "bearer capability not implemented", 79: "service not implemented", 88: "incompatible destination",
	102: "recovery on timer expiry", 111: "protocol error", 127: "interworking, unspecified",
}

// Q850Text is what a Q.850 cause means, "" when it is none that SIP networks send.
func Q850Text(cause string) string {
	n, err := strconv.ParseUint(cause, 10, 16)
	if err != nil {
		return ""
	}
	return q850[uint16(n)]
}

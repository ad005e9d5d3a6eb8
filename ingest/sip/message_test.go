package sip

import (
	"reflect"
	"slices"
	"testing"
)

// TestClear: what a scan leaves to be cleared is cleared, whether rare headers
// occurred or not.
func TestClear(t *testing.T) {
	rareFields := []string{
		"PAI", "PPI", "RPID", "Diversion", "DiversionReason", "HistoryInfo", "AuthUser", "AuthRealm", "ReasonHeader",
		"Q850", "ReasonSIPCause", "ReasonText", "SessionID", "SessionIDRemote", "ICID", "XRTPStat", "Event", "ReferTo",
		"Replaces", "ISUP",
	}
	var empty Message
	empty.Reset()
	want := reflect.ValueOf(empty)
	for _, rareOccurred := range []bool{false, true} {
		var m Message
		got := reflect.ValueOf(&m).Elem()
		fill(got)
		m.rare = rareOccurred
		m.clear()
		m.Custom = nil // empty, but not nil
		for i := range got.NumField() {
			name := got.Type().Field(i).Name
			kept := !rareOccurred && slices.Contains(rareFields, name)
			if same := reflect.DeepEqual(got.Field(i).Interface(), want.Field(i).Interface()); same == kept {
				t.Errorf("rare %v: %s is %v", rareOccurred, name, got.Field(i))
			}
			if name == "Errs" {
				break // the last one that is exported
			}
		}
	}
}

// fill sets every exported field in v to something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	default:
		v.SetUint(7)
	}
}

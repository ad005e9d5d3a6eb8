package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
)

// Version counts the released declarations of the schema. Raise it with the
// first change of the declaration after a release: a binary refuses to work on
// tables that a higher version has migrated.
const Version = 3

// Hash tells declarations apart, those of one Version included: it is the hash
// of everything that the declaration makes, with default options.
func Hash() string {
	h := sha256.New()
	for _, t := range slices.Concat(Tables(), Derived()) {
		_, _ = io.WriteString(h, t.CreateSQL(Options{})+";\n")
	}
	for _, f := range Feeds() {
		_, _ = io.WriteString(h, f.CreateSQL(Options{})+";\n")
	}
	for _, v := range Views() {
		_, _ = io.WriteString(h, v.CreateSQL(Options{})+";\n")
	}
	return hex.EncodeToString(h.Sum(nil))
}

package schema

// A message repeats what other columns hold: its Call-ID, tags, users. They are
// random to a compressor, so each copy costs its bytes. Column packed has marks
// in their place, and column raw, which is computed when it is read, puts them
// back: byte for byte, in plain SQL. The branch of the topmost Via, which most
// messages have of their own, stays in the message and has no column: via_branch
// is computed, too. So is call_id, which mostly is the correlation id.
//
// Column packing says how a row is written. In a row with packing 0 the columns
// packed, own_call_id and own_branch are the message, the Call-ID and the branch
// themselves: so are the rows of before there was packing, a message that has a
// PackEscape itself, and what is inserted by SQL, where that is done by hand:
//
//	INSERT INTO sip (time, correlation_id, own_call_id, packed, …)

// PackEscape begins each mark. A message that contains one is not packed, so
// that it means nothing else in those that are.
const PackEscape = 0x01

// Marks lists the columns that marks stand for. A mark is PackEscape and the
// letter.
var Marks = [5]struct {
	Letter byte
	Column string
}{
	{'a', "call_id"},
	{'b', "from_tag"},
	{'c', "to_tag"},
	{'d', "from_user"},
	{'e', "to_user"},
}

// Values of the column packing.
const (
	// Unpacked: the columns are what they are called for.
	Unpacked = 0
	// Packed: marks stand for other columns, and an empty own_call_id for the
	// correlation id.
	Packed = 1
)

// rawAlias computes a message of its packed form. The marks are put back one
// column after the other, which is exact because no value put in has a
// PackEscape.
func rawAlias() string {
	expr := "packed"
	for _, m := range Marks {
		expr = "replaceAll(" + expr + ", '\\x01" + string(m.Letter) + "', " + m.Column + ")"
	}
	return "if(packing, " + expr + ", packed)"
}

// branchAlias computes the branch.
const branchAlias = "if(branch_at > 0, substring(packed, branch_at, branch_len), own_branch)"

// packedCallID are the columns of the Call-ID in a table with packing.
//
// The index on the computed one is used because the queries' call_id becomes the
// very expression that it is over.
var packedCallID = []Column{
	{Name: "packing", Kind: Uint8, Internal: true, Doc: "How the row is packed: 0 not at all, 1 with marks in packed and the Call-ID left out of own_call_id where it is the correlation id."},
	{Name: "own_call_id", Kind: Text, Was: "call_id", Internal: true, Doc: "What call_id is made of: the Call-ID; empty where packing is 1 and it is the correlation id."},
	{Name: "call_id", Kind: Text, Alias: "if(packing AND empty(own_call_id), correlation_id, own_call_id)", Index: "bloom_filter(0.01)", Doc: "SIP Call-ID."},
}

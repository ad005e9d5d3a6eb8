// Package config holds heplake's settings: what they are called, what they
// default to, and how they are read from heplake.yaml and the environment.
package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Config is every setting. The koanf tag is the key's last part; takes says
// what values it has, for the error that refuses another.
type Config struct {
	Tenant string `koanf:"tenant" takes:"the tenant that records belong to, a word"`
	Data   struct {
		Dir string `koanf:"dir" takes:"the folder for the spool and the embedded ClickHouse"`
	} `koanf:"data"`
	HEP         HEP         `koanf:"hep"`
	SIP         SIP         `koanf:"sip"`
	Correlation Correlation `koanf:"correlation"`
	Batch       Batch       `koanf:"batch"`
	Spool       Spool       `koanf:"spool"`
	ClickHouse  struct {
		URL string `koanf:"url" takes:"http://user:password@host:8123/database, or nothing for the embedded engine"`
		// Cluster, Replicated and Nodes say how the tables are spread: see
		// docs/deploy.md.
		Cluster    string   `koanf:"cluster" takes:"the name of a cluster in ClickHouse's remote_servers, over whose shards the tables are spread, or nothing for a single node"`
		Replicated bool     `koanf:"replicated" takes:"true where a cluster's tables are replicated (ReplicatedMergeTree, with Keeper), or false"`
		Nodes      []string `koanf:"nodes" takes:"a list of host:port, every node of a cluster without Keeper, for migrate and retention to speak to each; nothing where ClickHouse carries statements to all nodes (ON CLUSTER)"`
	} `koanf:"clickhouse"`
	Embedded  Embedded  `koanf:"embedded"`
	Memory    Memory    `koanf:"memory"`
	Retention Retention `koanf:"retention"`
	Storage   Storage   `koanf:"storage"`
	// Residency says which tenants' rows stay in a place.
	Residency []Residency `koanf:"residency" takes:"a list of tenants whose rows lie on the disks of one storage policy alone, each with tenant, policy, and export: true where exports are allowed: see docs/storage.md; in the environment as YAML"`
	Archive   Archive     `koanf:"archive"`
	API       struct {
		Addr     string        `koanf:"addr" takes:"host:port"`
		Rows     int           `koanf:"rows" takes:"how many rows one answer of /api/v1/rows has at most" min:"1" max:"2000000000"`
		RowsTime time.Duration `koanf:"rows_time" takes:"how long such an answer may take, such as 30m"`
	} `koanf:"api"`
	Aliases []string            `koanf:"aliases" takes:"a list of address=name, where address is an IP address, address:port or network; addresses of one name are one column of a ladder"`
	Trunks  map[string][]string `koanf:"trunks" takes:"names, and under each a list of addresses and networks; in the environment name=network, several by commas"`
	Metrics struct {
		Addr string `koanf:"addr" takes:"host:port, or off"`
		// Pprof serves Go's profiles on the metrics address: they show what the
		// process does, so they are off unless asked for.
		Pprof bool `koanf:"pprof" takes:"true to serve Go's profiles under /debug/pprof/ on metrics.addr, or false"`
		// Heplify and the targets are for dashboards made for heplify-server.
		Heplify    bool     `koanf:"heplify" takes:"true to have the metrics by heplify-server's names as well, or false"`
		TargetIP   []string `koanf:"target_ip" takes:"a list of addresses that heplify-server's metrics tell apart"`
		TargetName []string `koanf:"target_name" takes:"a list of names for them, as many"`
	} `koanf:"metrics"`
	Log Log `koanf:"log"`
}

// HEP says how HEP is received.
type HEP struct {
	UDP            string        `koanf:"udp" takes:"host:port, or off"`
	TCP            string        `koanf:"tcp" takes:"host:port, or off"`
	TLS            string        `koanf:"tls" takes:"host:port, or off"`
	HTTP           string        `koanf:"http" takes:"host:port, or off"`
	HTTPS          string        `koanf:"https" takes:"host:port, or off"`
	WS             string        `koanf:"ws" takes:"host:port, or off"`
	WSS            string        `koanf:"wss" takes:"host:port, or off"`
	SCTP           string        `koanf:"sctp" takes:"host:port, or off"`
	IPIP           string        `koanf:"ipip" takes:"the address on which IP-in-IP mirrors arrive (0.0.0.0 for every one), or off"`
	Interface      string        `koanf:"interface" takes:"the network interface to capture SIP and RTCP from, or off"`
	Cert           string        `koanf:"cert" takes:"the PEM file of the certificate for tls, https and wss"`
	Key            string        `koanf:"key" takes:"the PEM file of its key"`
	ClientCA       string        `koanf:"client_ca" takes:"a PEM file of authorities: senders must then show a certificate"`
	TLSMin         string        `koanf:"tls_min" takes:"1.0, 1.1, 1.2 or 1.3" oneof:"1.0 1.1 1.2 1.3"`
	StoreRTP       bool          `koanf:"store_rtp" takes:"true to keep raw RTP packets, whose payload is otherwise never stored, or false"`
	Durable        bool          `koanf:"durable" takes:"true to answer HTTP when what was posted is on the disk, and to read streams no further than 4 MiB ahead of it, or false"`
	MaxBody        Size          `koanf:"max_body" takes:"the largest HTTP body, such as 16MiB"`
	Workers        int           `koanf:"workers" takes:"a number of workers, 0 for one a processor" min:"0" max:"256"`
	Buffer         Size          `koanf:"buffer" takes:"the receive buffer of one UDP socket, such as 64MiB"`
	MaxConnections int           `koanf:"max_connections" takes:"a number of connections" min:"1" max:"1000000"`
	IdleTimeout    time.Duration `koanf:"idle_timeout" takes:"a duration such as 10m, 0 for none"`
}

// SIP says what is kept of SIP beyond the columns.
type SIP struct {
	Headers []string `koanf:"headers" takes:"a list of header names"`
}

// Correlation says which headers tie legs together.
type Correlation struct {
	Headers []string `koanf:"headers" takes:"a list of header names; the first that a message has names its call"`
}

// Batch says when a batch is sealed.
type Batch struct {
	Rows  int           `koanf:"rows" takes:"a number of rows" min:"1" max:"1000000"`
	Age   time.Duration `koanf:"age" takes:"a duration such as 1s"`
	Bytes Size          `koanf:"bytes" takes:"a size such as 64MiB"`
}

// Spool bounds what waits for ClickHouse.
type Spool struct {
	Max    Size   `koanf:"max" takes:"a size such as 8GiB"`
	Memory Size   `koanf:"memory" takes:"a size such as 256MiB"`
	Full   string `koanf:"full" takes:"what is dropped at the limit: newest (what arrives) or oldest (what waits longest)" oneof:"newest oldest"`
	Sync   string `koanf:"sync" takes:"batch (each batch is on the disk before it counts as kept) or none" oneof:"batch none"`
}

// Embedded says how the embedded ClickHouse runs.
type Embedded struct {
	HTTP    string `koanf:"http" takes:"host:port"`
	TCP     string `koanf:"tcp" takes:"host:port"`
	Library string `koanf:"library" takes:"the path of libchdb.so"`
	Memory  Size   `koanf:"memory" takes:"a size such as 4GiB, 0 for a share of the machine's"`
}

// Memory bounds heplake's own memory, that of the embedded engine apart.
type Memory struct {
	Limit Size `koanf:"limit" takes:"a size such as 896MiB under which heplake's own memory is kept where it can be, 0 for none"`
}

// Retention says how long rows are kept.
type Retention struct {
	SIP    int `koanf:"sip" takes:"a number of days, 0 for ever" min:"0" max:"36500"`
	Media  int `koanf:"media" takes:"a number of days, 0 for ever" min:"0" max:"36500"`
	Events int `koanf:"events" takes:"a number of days, 0 for ever" min:"0" max:"36500"`
	// MinFree is what the disk guard keeps free.
	MinFree Size `koanf:"min_free" takes:"what stays free on ClickHouse's disks, such as 10GiB: with less, the oldest day goes before its time; 0 for no such guard"`
	// Rules keep some rows longer or shorter.
	Rules []RetentionRule `koanf:"rules" takes:"a list of rules, each with days and some of name, tables, tenants, methods, outcomes, mos_below; the first that a row meets says how long it is kept: see docs/storage.md; in the environment as YAML"`
}

// Archive says where rows go before retention deletes them.
type Archive struct {
	Dir    string `koanf:"dir" takes:"the folder of the archive, in which every day is kept as Parquet before rows of it are deleted; nothing for none"`
	URL    string `koanf:"url" takes:"in place of a folder a bucket of S3, GCS or MinIO and a prefix, such as https://bucket.s3.eu-central-1.amazonaws.com/heplake/"`
	Key    string `koanf:"key" takes:"the access key of the bucket, or nothing: from the environment"`
	Secret string `koanf:"secret" takes:"its secret"`
	File   Size   `koanf:"file" takes:"how much one of its files holds before compression, such as 512MiB"`
}

// On tells whether there is an archive.
func (a Archive) On() bool { return a.Dir != "" || a.URL != "" }

// check checks what goes together.
func (a Archive) check() error {
	switch {
	case strings.Contains(a.Dir, "://"):
		return errors.New("archive.dir takes a folder: a bucket goes into archive.url")
	case a.Dir != "" && a.URL != "":
		return errors.New("archive.dir and archive.url are two places: one of them")
	case a.URL == "" && a.Key != "":
		return errors.New("archive.key is the bucket's of archive.url, which is not set")
	case (a.Key == "") != (a.Secret == ""):
		return errors.New("archive.key and archive.secret belong together")
	}
	return nil
}

// Log says what is logged.
type Log struct {
	Level  string `koanf:"level" takes:"debug, info, warn or error" oneof:"debug info warn error"`
	Format string `koanf:"format" takes:"text or json" oneof:"text json"`
}

// Default returns the settings of an empty file.
func Default() Config {
	var c Config
	c.Tenant = "default"
	c.Data.Dir = "./data"
	c.HEP = HEP{UDP: ":9060", TCP: ":9060", TLSMin: "1.2", MaxBody: 16 << 20, Buffer: 64 << 20, MaxConnections: 4096, IdleTimeout: 10 * time.Minute}
	c.Correlation.Headers = []string{"X-CID", "Session-ID", "P-Charging-Vector"}
	c.Batch = Batch{Rows: 100_000, Age: time.Second, Bytes: 24 << 20}
	c.Spool = Spool{Max: 8 << 30, Memory: 256 << 20, Full: "newest", Sync: "batch"}
	c.Embedded = Embedded{HTTP: "127.0.0.1:8123", TCP: "127.0.0.1:9000"}
	c.Memory.Limit = 896 << 20
	c.ClickHouse.Replicated = true
	c.Retention = Retention{SIP: 90, Media: 90, Events: 90, MinFree: 1 << 30}
	c.Archive = Archive{File: 512 << 20}
	c.Storage.Cold.Volume = "cold"
	c.API.Addr = "127.0.0.1:9080"
	c.API.Rows, c.API.RowsTime = 10_000_000, 30*time.Minute
	c.Metrics.Addr = ":9090"
	c.Log = Log{Level: "info", Format: "text"}
	return c
}

// Off is the value that turns a listener off, as does an empty one.
const Off = "off"

// On tells whether an address setting names an address.
func On(addr string) bool { return addr != "" && addr != Off }

// Size is a number of bytes, written with a unit: 64MiB, 2GB.
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil {
		return fmt.Errorf("%q is no size", text)
	}
	*s = Size(n)
	return nil
}

// String writes the size with a unit.
func (s Size) String() string { return humanize.IBytes(uint64(s)) }

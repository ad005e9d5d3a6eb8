package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/heplake/heplake/schema"
)

// RetentionRule keeps some rows longer or shorter than their table's own days. The
// first rule that a row meets holds. docs/storage.md says what each key means.
type RetentionRule struct {
	Name     string   `koanf:"name"`
	Tables   []string `koanf:"tables"`
	Tenants  []string `koanf:"tenants"`
	Methods  []string `koanf:"methods"`
	Outcomes []string `koanf:"outcomes"`
	MOSBelow float64  `koanf:"mos_below"`
	// Days must be there: 0 is for ever.
	Days *int `koanf:"days"`
}

// outcomes are those that a rule can name: a call in progress is not old.
func outcomes() []string {
	return slices.DeleteFunc(schema.Outcomes(), func(o string) bool { return o == "in_progress" })
}

// methodWord is what a SIP method looks like (RFC 3261: a token).
var methodWord = regexp.MustCompile("^[A-Z0-9.!%*_+`'~-]+$")

// complete checks the rules and gives those without a name one.
func (r *Retention) complete() error {
	seen := map[string]bool{}
	for i := range r.Rules {
		rule := &r.Rules[i]
		if rule.Name == "" {
			rule.Name = fmt.Sprintf("rule %d", i+1)
		}
		if seen[rule.Name] {
			return fmt.Errorf("retention.rules: two rules are called %q", rule.Name)
		}
		seen[rule.Name] = true
		if err := rule.check(); err != nil {
			return fmt.Errorf("retention.rules: %s: %w", rule.Name, err)
		}
	}
	return nil
}

func (r *RetentionRule) check() error {
	switch {
	case r.Days == nil:
		return errors.New("days is missing; 0 is for ever")
	case *r.Days < 0 || *r.Days > 36500:
		return fmt.Errorf("days takes 0 (for ever) to 36500, not %d", *r.Days)
	case r.MOSBelow < 0 || r.MOSBelow > 5:
		return fmt.Errorf("mos_below takes a mean opinion score up to 5, not %g", r.MOSBelow)
	case len(r.Tenants)+len(r.Methods)+len(r.Outcomes) == 0 && r.MOSBelow == 0:
		return errors.New("it says of no tenants, methods, outcomes or mos_below which rows it is about; retention.sip, media and events are for all of them")
	}
	for _, t := range r.Tables {
		if !slices.ContainsFunc(schema.Tables(), func(k *schema.Table) bool { return k.Name == t }) {
			return fmt.Errorf("tables takes sip, media and events, not %q", t)
		}
	}
	for i, m := range r.Methods {
		r.Methods[i] = strings.ToUpper(m)
		if !methodWord.MatchString(r.Methods[i]) {
			return fmt.Errorf("methods takes SIP methods such as OPTIONS, not %q", m)
		}
	}
	for _, o := range r.Outcomes {
		if !slices.Contains(outcomes(), o) {
			return fmt.Errorf("outcomes takes %s, not %q", strings.Join(outcomes(), ", "), o)
		}
	}
	if slices.Contains(r.Tenants, "") {
		return errors.New("tenants has an empty name")
	}
	return nil
}

// Storage says on which disks rows lie.
type Storage struct {
	Policy string `koanf:"policy" takes:"the storage policy of every table, as the ClickHouse of clickhouse.url knows it; nothing for its own"`
	Cold   Cold   `koanf:"cold"`
}

// Cold says when rows go to a colder volume, and where that is.
type Cold struct {
	After  int    `koanf:"after" takes:"after how many days rows go to the colder volume, 0 for never" min:"0" max:"36500"`
	Volume string `koanf:"volume" takes:"the name of the colder volume in storage.policy"`
	Path   string `koanf:"path" takes:"the folder of the colder disk, for the embedded engine; once used it must stay"`
	URL    string `koanf:"url" takes:"in place of a folder a bucket of S3, GCS or MinIO and a prefix, such as https://bucket.s3.eu-central-1.amazonaws.com/heplake/"`
	Key    string `koanf:"key" takes:"the access key of the bucket, or nothing: from the environment"`
	Secret string `koanf:"secret" takes:"its secret"`
}

// EmbeddedPolicy is the storage policy that the embedded engine has when
// storage.cold says where the colder disk is.
const EmbeddedPolicy = "heplake"

// complete checks what goes together.
func (s *Storage) complete(clickhouseURL string) error {
	embedded, place := clickhouseURL == "", s.Cold.Path != "" || s.Cold.URL != ""
	switch {
	case s.Cold.Path != "" && s.Cold.URL != "":
		return errors.New("storage.cold.path and storage.cold.url are two places: one of them")
	case !embedded && place:
		return errors.New("storage.cold.path and storage.cold.url are for the embedded engine: with clickhouse.url, storage.policy and storage.cold.volume name what that server has")
	case embedded && s.Policy != "":
		return errors.New("storage.policy is for a ClickHouse that clickhouse.url names: the embedded engine has storage.cold.path or storage.cold.url")
	case s.Cold.After > 0 && embedded && !place:
		return errors.New("storage.cold.after needs a place: storage.cold.path or storage.cold.url")
	case s.Cold.After > 0 && !embedded && s.Policy == "":
		return errors.New("storage.cold.after needs storage.policy, which has the volume storage.cold.volume")
	case s.Cold.URL != "" && !strings.HasSuffix(s.Cold.URL, "/"):
		return errors.New("storage.cold.url ends in /: what follows the bucket is a prefix")
	case (s.Cold.Key == "") != (s.Cold.Secret == ""):
		return errors.New("storage.cold.key and storage.cold.secret belong together")
	}
	if embedded && place {
		s.Policy, s.Cold.Volume = EmbeddedPolicy, "cold"
	}
	return nil
}

package config

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// envPrefix begins the name of every environment variable that is a setting.
const envPrefix = "HEPLAKE_"

// setting is one key: where its value lies in a Config, and what it takes.
type setting struct {
	key   string
	value reflect.Value
	field reflect.StructField
}

// env is the key's environment variable: HEPLAKE_ and the path in capitals.
func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// settings lists the keys of c in the order of their declaration.
func settings(c *Config) []setting {
	var out []setting
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			key := prefix + f.Tag.Get("koanf")
			if f.Tag.Get("takes") == "" {
				walk(key+".", v.Field(i))
				continue
			}
			out = append(out, setting{key: key, value: v.Field(i), field: f})
		}
	}
	walk("", reflect.ValueOf(c).Elem())
	return out
}

// Load reads the settings: the defaults, over them the file, over them the
// environment. An empty path is no file. The error names the key and what it
// takes; unknown are environment variables that begin like a setting and are
// none, which is worth a warning and no more: a cluster may set HEPLAKE_…
// variables for a service of that name.
func Load(path string, environ []string) (c Config, unknown []string, err error) {
	c = Default()
	all := settings(&c)
	k := koanf.New(".")
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return c, nil, fmt.Errorf("settings file %s: %w", path, err)
		}
	}
	for _, key := range k.Keys() {
		if !slices.ContainsFunc(all, func(s setting) bool { return s.covers(key) }) {
			return c, nil, fmt.Errorf("settings file %s: unknown key %s%s", path, key, suggest(key, all))
		}
	}
	env := map[string]string{}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, envPrefix) {
			env[name] = value
		}
	}
	for _, s := range all {
		if k.Exists(s.key) {
			if err := s.set(k.Get(s.key)); err != nil {
				return c, nil, fmt.Errorf("settings file %s: %w", path, err)
			}
		}
		if value, ok := env[s.env()]; ok {
			if err := s.set(value); err != nil {
				return c, nil, fmt.Errorf("environment variable %s: %w", s.env(), err)
			}
			delete(env, s.env())
		}
	}
	if err := c.Retention.complete(); err != nil {
		return c, nil, err
	}
	if err := c.Storage.complete(c.ClickHouse.URL); err != nil {
		return c, nil, err
	}
	if err := c.Archive.check(); err != nil {
		return c, nil, err
	}
	if err := c.checkResidency(); err != nil {
		return c, nil, err
	}
	for name := range env {
		unknown = append(unknown, name)
	}
	slices.Sort(unknown)
	return c, unknown, nil
}

// covers tells whether a key of the file is the setting's, or, of a setting that has
// names below it, one of these.
func (s setting) covers(key string) bool {
	return s.key == key || s.value.Kind() == reflect.Map && strings.HasPrefix(key, s.key+".")
}

// stringToMap reads name=value, several by commas: what one name has is a list.
func stringToMap(from, to reflect.Type, value any) (any, error) {
	if from.Kind() != reflect.String || to.Kind() != reflect.Map {
		return value, nil
	}
	out := map[string][]string{}
	for part := range strings.SplitSeq(fmt.Sprint(value), ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, v, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not name=value", part)
		}
		name = strings.TrimSpace(name)
		out[name] = append(out[name], strings.TrimSpace(v))
	}
	return out, nil
}

// set decodes a value of the file or the environment into the setting.
func (s setting) set(value any) error {
	dec, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: s.value.Addr().Interface(), WeaklyTypedInput: true, TagName: "koanf", ErrorUnused: true,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(stringToMap,
			mapstructure.StringToTimeDurationHookFunc(), mapstructure.TextUnmarshallerHookFunc(), mapstructure.StringToSliceHookFunc(",")),
	})
	if err != nil {
		return err
	}
	refuse := func() error {
		return fmt.Errorf("%s takes %s, not %q", s.key, s.field.Tag.Get("takes"), fmt.Sprint(value))
	}
	if value == nil {
		value = ""
	}
	if s.value.Kind() == reflect.Slice && s.value.Type().Elem().Kind() == reflect.Struct {
		return s.setList(dec, value)
	}
	if err := dec.Decode(value); err != nil {
		return refuse()
	}
	if words := s.field.Tag.Get("oneof"); words != "" && !slices.Contains(strings.Fields(words), s.value.String()) {
		return refuse()
	}
	if lo, hi := s.field.Tag.Get("min"), s.field.Tag.Get("max"); lo != "" {
		n := s.value.Int()
		low, _ := strconv.ParseInt(lo, 10, 64)
		high, _ := strconv.ParseInt(hi, 10, 64)
		if n < low || n > high {
			return fmt.Errorf("%s takes %s from %s to %s, not %q", s.key, s.field.Tag.Get("takes"), lo, hi, fmt.Sprint(value))
		}
	}
	if s.value.Kind() == reflect.Int64 && s.value.Int() < 0 {
		return refuse()
	}
	return nil
}

// setList sets a list of what has keys of its own. In the environment it is YAML.
func (s setting) setList(dec *mapstructure.Decoder, value any) error {
	if text, ok := value.(string); ok {
		parsed, err := yaml.Parser().Unmarshal([]byte("list: " + text))
		if err != nil {
			return fmt.Errorf("%s takes %s: %w", s.key, s.field.Tag.Get("takes"), err)
		}
		value = parsed["list"]
	}
	if value == nil {
		return nil
	}
	if _, ok := value.([]any); !ok {
		return fmt.Errorf("%s takes %s, not %q", s.key, s.field.Tag.Get("takes"), fmt.Sprint(value))
	}
	if err := dec.Decode(value); err != nil {
		return fmt.Errorf("%s takes %s: %w", s.key, s.field.Tag.Get("takes"), err)
	}
	return nil
}

// suggest names the known keys beside an unknown one.
func suggest(key string, all []setting) string {
	group, _, _ := strings.Cut(key, ".")
	var near []string
	for _, s := range all {
		if g, _, _ := strings.Cut(s.key, "."); g == group {
			near = append(near, s.key)
		}
	}
	if near == nil {
		for _, s := range all {
			if g, _, _ := strings.Cut(s.key, "."); !slices.Contains(near, g) {
				near = append(near, g)
			}
		}
		return "; the groups are " + strings.Join(near, ", ")
	}
	return "; known are " + strings.Join(near, ", ")
}

// Path is the settings file to read: the one named, else heplake.yaml in the
// working directory when there is one, else none.
func Path(named string) string {
	if named != "" {
		return named
	}
	if _, err := os.Stat("heplake.yaml"); err == nil {
		return "heplake.yaml"
	}
	return ""
}

package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Markdown documents every setting: docs/settings.md is what it returns.
func Markdown() string {
	c := Default()
	var b strings.Builder
	b.WriteString("# Settings\n\nEvery key of `heplake.yaml`, its environment variable, and what it takes. The environment goes over the file. " +
		"An unknown key or a bad value stops the start.\n\n| key | default | environment | takes |\n|---|---|---|---|\n")
	for _, s := range settings(&c) {
		value := fmt.Sprint(s.value.Interface())
		if list, ok := s.value.Interface().([]string); ok {
			value = strings.Join(list, ", ")
		}
		if k := s.value.Kind(); (k == reflect.Slice || k == reflect.Map) && s.value.Len() == 0 {
			value = ""
		}
		if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", s.key, value, s.env(), s.field.Tag.Get("takes"))
	}
	return b.String()
}

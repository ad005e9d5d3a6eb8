// Package deploy has no code: its tests hold the files of this folder against
// the program that they run.
package deploy

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/heplake/heplake/internal/config"
)

// document is one YAML document of a file.
type document = map[string]any

// documents parses every YAML file of the folder: path to its documents.
func documents(t *testing.T) map[string][]document {
	t.Helper()
	all := map[string][]document{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for dec := yaml.NewDecoder(bytes.NewReader(b)); ; {
			var doc document
			if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			all[path] = append(all[path], doc)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 8 {
		t.Fatalf("only %d YAML files found", len(all))
	}
	return all
}

// at walks down maps and lists; nil when there is nothing.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(document)
			if !ok {
				return nil
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func list(v any, path ...any) []any {
	l, _ := at(v, path...).([]any)
	return l
}

func text(v any, path ...any) string {
	s, _ := at(v, path...).(string)
	return s
}

// TestYAMLParses is what documents reports.
func TestYAMLParses(t *testing.T) { documents(t) }

var settingName = regexp.MustCompile(`\bHEPLAKE_[A-Z0-9_]+\b`)

// notSettings are names that begin like settings and are something else.
var notSettings = []string{
	"HEPLAKE_URI", "HEPLAKE_HEP_VERSION", "HEPLAKE_CAPTURE_ID", // of kamailio-siptrace.cfg
	"HEPLAKE_API", // of the reading commands
}

// TestSettingsExist: each variable that a file here or a page about deployment
// names is a setting.
func TestSettingsExist(t *testing.T) {
	found := 0
	check := func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range settingName.FindAllString(string(b), -1) {
			if slices.Contains(notSettings, name) {
				continue
			}
			found++
			// A setting refuses a bad value or takes it; anything else is unknown.
			if _, unknown, err := config.Load("", []string{name + "="}); err == nil && len(unknown) > 0 {
				t.Errorf("%s names %s, which is no setting", path, name)
			}
		}
	}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) != ".go" {
			check(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"senders.md", "deploy.md"} {
		check(filepath.Join("..", "docs", page))
	}
	if found < 10 {
		t.Errorf("only %d names found", found)
	}
}

// TestSettingsAreTaken loads what each container and settings file sets, as the
// program does at its start.
func TestSettingsAreTaken(t *testing.T) {
	load := func(where, file string, env []string) config.Config {
		c, unknown, err := config.Load(file, env)
		if err != nil || len(unknown) > 0 {
			t.Errorf("%s: %v %v", where, unknown, err)
		}
		return c
	}
	load("systemd/heplake.yaml", filepath.Join("systemd", "heplake.yaml"), nil)

	all := documents(t)
	var compose []string
	for key, value := range at(all["compose/compose.yaml"][0], "services", "heplake", "environment").(document) {
		compose = append(compose, key+"="+value.(string))
	}
	load("compose/compose.yaml", "", compose)

	for _, pod := range pods(t, all) {
		if pod.heplake == nil {
			continue
		}
		c := load(pod.name, "", pod.env)
		for port, addr := range map[string]string{"prometheus": c.Metrics.Addr, "http": c.API.Addr, "hep-udp": c.HEP.UDP, "hep-tcp": c.HEP.TCP} {
			if want, ok := pod.ports[port]; ok && addr != "0.0.0.0:"+strconv.Itoa(want) {
				t.Errorf("%s: port %s is %d, its setting %q", pod.name, port, want, addr)
			}
		}
		if c.Data.Dir != text(pod.heplake, "volumeMounts", 0, "mountPath") {
			t.Errorf("%s: data.dir is %s, mounted is %s", pod.name, c.Data.Dir, text(pod.heplake, "volumeMounts", 0, "mountPath"))
		}
	}
}

// pod is what a workload runs.
type pod struct {
	name   string // file and name
	app    string // its label
	ports  map[string]int
	env    []string // that are given here; secrets stand in for themselves
	images []string
	// heplake is the container that runs heplake, nil when none does.
	heplake any
	// probes are the ports and paths of probes.
	probes [][2]string
}

func pods(t *testing.T, all map[string][]document) (out []pod) {
	t.Helper()
	maps := map[string]document{}
	for _, docs := range all {
		for _, d := range docs {
			if text(d, "kind") == "ConfigMap" {
				maps[text(d, "metadata", "name")] = at(d, "data").(document)
			}
		}
	}
	for path, docs := range all {
		for _, d := range docs {
			spec := at(d, "spec", "template", "spec")
			if spec == nil {
				continue
			}
			p := pod{name: path + " " + text(d, "metadata", "name"), app: text(d, "spec", "template", "metadata", "labels", "app"), ports: map[string]int{}}
			if match := text(d, "spec", "selector", "matchLabels", "app"); match != p.app {
				t.Errorf("%s selects app %q, its pods are %q", p.name, match, p.app)
			}
			if at(spec, "enableServiceLinks") != false {
				t.Errorf("%s: service links make variables that begin like settings", p.name)
			}
			for _, c := range list(spec, "containers") {
				p.images = append(p.images, text(c, "image"))
				for _, port := range list(c, "ports") {
					p.ports[text(port, "name")] = at(port, "containerPort").(int)
				}
				for _, probe := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
					if get := at(c, probe, "httpGet"); get != nil {
						p.probes = append(p.probes, [2]string{text(get, "port"), text(get, "path")})
					}
				}
				if text(c, "name") != "heplake" {
					continue
				}
				p.heplake = c
				for _, from := range list(c, "envFrom") {
					name := text(from, "configMapRef", "name")
					if maps[name] == nil {
						t.Errorf("%s takes settings from %q, which is not there", p.name, name)
					}
					for key, value := range maps[name] {
						p.env = append(p.env, key+"="+value.(string))
					}
				}
				for _, e := range list(c, "env") {
					value := text(e, "value")
					if value == "" {
						value = "from a secret"
					}
					p.env = append(p.env, text(e, "name")+"="+value)
				}
			}
			out = append(out, p)
		}
	}
	if len(out) != 3 {
		t.Fatalf("%d workloads found, want collector, API and ClickHouse", len(out))
	}
	return out
}

// TestKubernetesFitsTogether: services find pods and their ports, probes exist,
// one image of heplake and one of ClickHouse everywhere, secrets have their keys.
func TestKubernetesFitsTogether(t *testing.T) {
	all := documents(t)
	byApp := map[string]pod{}
	images := map[string]string{}
	for _, p := range pods(t, all) {
		byApp[p.app] = p
		for _, image := range p.images {
			base, _, tagged := strings.Cut(image, ":")
			if other, ok := images[base]; !tagged || ok && other != image {
				t.Errorf("%s runs %s, another runs %s", p.name, image, other)
			}
			images[base] = image
		}
		for _, probe := range p.probes {
			if _, ok := p.ports[probe[0]]; !ok {
				t.Errorf("%s: a probe asks port %q, which it has not", p.name, probe[0])
			}
			if p.heplake != nil && probe[1] != "/healthz" && probe[1] != "/readyz" {
				t.Errorf("%s: a probe asks %s", p.name, probe[1])
			}
		}
		if len(p.probes) < 2 {
			t.Errorf("%s has %d probes", p.name, len(p.probes))
		}
	}
	for _, service := range []any{
		at(all["compose/compose.yaml"][0], "services", "heplake"), at(all["compose/clickhouse.yaml"][0], "services", "clickhouse"),
	} {
		image := text(service, "image")
		if base, _, _ := strings.Cut(image, ":"); images[base] != image {
			t.Errorf("compose runs %s, Kubernetes %s", image, images[base])
		}
	}

	resources := map[string]bool{}
	for _, r := range list(all["kubernetes/kustomization.yaml"][0], "resources") {
		resources[filepath.Join("kubernetes", r.(string))] = true
	}
	for path, docs := range all {
		if filepath.Dir(path) != "kubernetes" || filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		if !resources[path] {
			t.Errorf("%s is not in kustomization.yaml", path)
		}
		for _, d := range docs {
			if text(d, "apiVersion") == "" || text(d, "kind") == "" || text(d, "metadata", "name") == "" {
				t.Errorf("%s: a document without apiVersion, kind or name", path)
			}
			if text(d, "kind") == "HorizontalPodAutoscaler" && byApp[text(d, "spec", "scaleTargetRef", "name")].heplake == nil {
				t.Errorf("%s scales %q, which is not there", path, text(d, "spec", "scaleTargetRef", "name"))
			}
			if text(d, "kind") != "Service" {
				continue
			}
			p, ok := byApp[text(d, "spec", "selector", "app")]
			if !ok {
				t.Errorf("%s: service %s finds no pod", path, text(d, "metadata", "name"))
			}
			for _, port := range list(d, "spec", "ports") {
				if _, ok := p.ports[text(port, "targetPort")]; !ok {
					t.Errorf("%s: service %s wants port %q of %s", path, text(d, "metadata", "name"), text(port, "targetPort"), p.name)
				}
			}
		}
	}
	secret := at(all["kubernetes/secret.yaml"][0], "stringData").(document)
	for path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range regexp.MustCompile(`secretKeyRef:\s+name: (\S+)\s+key: (\S+)`).FindAllStringSubmatch(string(b), -1) {
			if _, ok := secret[ref[2]]; !ok || ref[1] != text(all["kubernetes/secret.yaml"][0], "metadata", "name") {
				t.Errorf("%s wants key %s of secret %s", path, ref[2], ref[1])
			}
		}
	}
	// Senders know the collector by this name.
	if p := byApp["homer-collector"]; p.ports["hep-udp"] != 9060 || p.ports["hep-tcp"] != 9060 {
		t.Errorf("the collector's ports are %v", p.ports)
	}
}

// TestUnitVerifies has systemd read the unit, and rate what it lets heplake do.
func TestUnitVerifies(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: the unit is not verified")
	}
	b, err := os.ReadFile(filepath.Join("systemd", "heplake.service"))
	if err != nil {
		t.Fatal(err)
	}
	// It must exist to be verified, and heplake is not installed here.
	unit := filepath.Join(t.TempDir(), "heplake.service")
	b = bytes.Replace(b, []byte("ExecStart=/opt/heplake/heplake "), []byte("ExecStart=/bin/true "), 1)
	if err := os.WriteFile(unit, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("heplake.service:")) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// 0 is locked up, 100 open to everything.
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=25", unit).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

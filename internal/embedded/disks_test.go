package embedded

import (
	"encoding/xml"
	"os"
	"strings"
	"testing"
)

// TestColdDiskOnS3 checks the configuration as text: no object store runs here.
func TestColdDiskOnS3(t *testing.T) {
	for _, c := range []struct {
		name string
		cold ColdDisk
		want []string
		not  string
	}{
		{"keys", ColdDisk{URL: "https://b.s3.eu-central-1.amazonaws.com/p&q/", Key: "AK<1>", Secret: "s"},
			[]string{"<type>s3</type>", "<endpoint>https://b.s3.eu-central-1.amazonaws.com/p&amp;q/</endpoint>", "<access_key_id>AK&lt;1&gt;</access_key_id>", "<secret_access_key>s</secret_access_key>"}, "environment"},
		{"role", ColdDisk{URL: "https://storage.googleapis.com/b/p/"}, []string{"<use_environment_credentials>1</use_environment_credentials>"}, "access_key"},
		{"folder", ColdDisk{Path: t.TempDir() + "/a & b"}, []string{"/a &amp; b/</path>", "<volumes>", "<default><disk>default</disk></default>"}, "s3"},
		{"none", ColdDisk{}, nil, "storage_configuration"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := Config{Dir: t.TempDir(), Cold: c.cold}.withDefaults()
			if err != nil {
				t.Fatal(err)
			}
			if err := cfg.makeDirs(); err != nil {
				t.Fatal(err)
			}
			if err := writeFiles(cfg, addresses{host: "127.0.0.1", http: 1, tcp: 2}, credentials{}); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(cfg.configPath())
			if err != nil {
				t.Fatal(err)
			}
			if err := xml.Unmarshal(b, new(struct{})); err != nil {
				t.Errorf("not XML: %v", err)
			}
			for _, w := range c.want {
				if !strings.Contains(string(b), w) {
					t.Errorf("%s is not in\n%s", w, b)
				}
			}
			if strings.Contains(string(b), c.not) {
				t.Errorf("%s is in it", c.not)
			}
		})
	}
}

package config

import (
	"errors"
	"fmt"
)

// Residency says where a tenant's rows may lie.
type Residency struct {
	Tenant string `koanf:"tenant"`
	// Policy is the storage policy that every table of its database must have.
	Policy string `koanf:"policy"`
	// Export allows exports of its rows, and an archive.
	Export bool `koanf:"export"`
}

// checkResidency checks what the settings say of the tenants that stay in a place,
// and that this process's tenant is there.
func (c *Config) checkResidency() error {
	seen := map[string]bool{}
	for i, r := range c.Residency {
		switch {
		case r.Tenant == "":
			return fmt.Errorf("residency: entry %d names no tenant", i+1)
		case r.Policy == "":
			return fmt.Errorf("residency: %s: policy is missing: the storage policy on whose disks its rows lie (default: the server's own)", r.Tenant)
		case seen[r.Tenant]:
			return fmt.Errorf("residency: %s is there twice", r.Tenant)
		}
		seen[r.Tenant] = true
		if r.Tenant != c.Tenant {
			continue
		}
		if have := c.TablePolicy(); have != r.Policy {
			return fmt.Errorf("residency: rows of %s are to lie on the disks of storage policy %s, and the tables of this heplake have %s", r.Tenant, r.Policy, have)
		}
		if c.Archive.On() && !r.Export {
			return errors.New("residency: archive.dir or archive.url writes rows of " + r.Tenant + " elsewhere, which its export: true would allow")
		}
	}
	return nil
}

// TablePolicy is the storage policy that the tables have by the settings.
func (c *Config) TablePolicy() string {
	if c.Storage.Policy != "" {
		return c.Storage.Policy
	}
	return "default"
}

// NoExport lists the tenants of whose rows no exports are made.
func (c *Config) NoExport() (tenants []string) {
	for _, r := range c.Residency {
		if !r.Export {
			tenants = append(tenants, r.Tenant)
		}
	}
	return tenants
}

// Resides tells whether the tenant of this process is one that stays in a place.
func (c *Config) Resides() bool {
	for _, r := range c.Residency {
		if r.Tenant == c.Tenant {
			return true
		}
	}
	return false
}

package embedded

import (
	"slices"
	"testing"
)

// TestChildEnviron: the engine gets no settings of heplake, and what its
// allocator is told unless somebody told it otherwise.
func TestChildEnviron(t *testing.T) {
	t.Setenv("HEPLAKE_TENANT", "acme")
	env := childEnviron()
	if !slices.Contains(env, "JE_MALLOC_CONF=dirty_decay_ms:60000") {
		t.Errorf("the allocator's options are missing: %q", env)
	}
	if slices.Contains(env, "HEPLAKE_TENANT=acme") {
		t.Errorf("a setting is passed on: %q", env)
	}
	t.Setenv(allocatorEnv, "dirty_decay_ms:1")
	if env := childEnviron(); !slices.Contains(env, "JE_MALLOC_CONF=dirty_decay_ms:1") || slices.Contains(env, "JE_MALLOC_CONF=dirty_decay_ms:60000") {
		t.Errorf("the user's options are not taken: %q", env)
	}
}

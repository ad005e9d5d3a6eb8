package archive

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestBucketKeys signs requests with the keys of the settings, of the environment,
// or not at all; and a secret is in no error and no log.
func TestBucketKeys(t *testing.T) {
	var signed atomic.Value
	address := objects(t, func(w http.ResponseWriter, r *http.Request) bool {
		signed.Store(r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>")
		return true
	})
	role := httptest.NewServer(http.NotFoundHandler()) // a machine without a role
	t.Cleanup(role.Close)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	for _, c := range []struct {
		name, key, secret, envKey, envSecret, want string
	}{
		{"settings", "key-of-settings", "secret-of-settings", "key-of-environment", "secret-of-environment", "Credential=key-of-settings/"},
		{"environment", "", "", "key-of-environment", "secret-of-environment", "Credential=key-of-environment/"},
		{"none", "", "", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			signed.Store("")
			t.Setenv("AWS_ACCESS_KEY_ID", c.envKey)
			t.Setenv("AWS_SECRET_ACCESS_KEY", c.envSecret)
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", role.URL)
			var log bytes.Buffer
			o := Options{
				URL: "http://127.0.0.1:1/lake", Bucket: address + "/lake/archive/", Key: c.key, Secret: c.secret, Local: t.TempDir(),
				Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			}
			a, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			_, err = a.List(t.Context(), "sip")
			var storage *storageError
			if !errors.As(err, &storage) || reason(err) != "storage" || !strings.Contains(err.Error(), o.Bucket) {
				t.Errorf("it is not said which storage refused: %v", err)
			}
			if got := signed.Load().(string); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("signed %q, want %s", got, c.want)
			}
			if (c.want == "") != errors.Is(err, errNoKeys) {
				t.Error(err)
			}
			if said := err.Error() + log.String() + signed.Load().(string); strings.Contains(said, "secret-of") {
				t.Errorf("a secret is in %s", said)
			}
		})
	}
}

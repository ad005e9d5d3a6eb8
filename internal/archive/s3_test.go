package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"

	"github.com/heplake/heplake/internal/captures"
)

// objects starts an object storage with a bucket, and returns its address. before,
// if any, sees each request first and tells whether it answered it.
func objects(t *testing.T, before func(w http.ResponseWriter, r *http.Request) bool) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("lake"); err != nil {
		t.Fatal(err)
	}
	storage := gofakes3.New(backend).Server()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before == nil || !before(w, r) {
			storage.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// inBucket has a test's archive lie in a bucket of its own.
func inBucket(t *testing.T, o *Options) { bucketAt(objects(t, nil))(t, o) }

func bucketAt(address string) place {
	return func(t *testing.T, o *Options) {
		o.Bucket, o.Key, o.Secret, o.Local = address+"/lake/archive/", "key", "secret", t.TempDir()
	}
}

// keys lists every object of the archive.
func (w *world) keys(t *testing.T) (out []string) {
	t.Helper()
	b := w.store.(*bucket)
	for o := range b.client.ListObjects(t.Context(), b.name, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		out = append(out, o.Key)
	}
	return out
}

func TestBucketAddress(t *testing.T) {
	for _, c := range []struct {
		address, endpoint, name, prefix string
		secure                          bool
	}{
		{"https://bucket.s3.eu-central-1.amazonaws.com/heplake/", "s3.eu-central-1.amazonaws.com", "bucket", "heplake/", true},
		{"https://my.bucket.s3.amazonaws.com", "s3.amazonaws.com", "my.bucket", "", true},
		{"https://storage.googleapis.com/bucket/a/b", "storage.googleapis.com", "bucket", "a/b/", true},
		{"http://127.0.0.1:9000/bucket", "127.0.0.1:9000", "bucket", "", false},
		{"https://minio/", "", "", "", false},
		{"s3://bucket/x", "", "", "", false},
		{"https://key:secret@minio/bucket/", "", "", "", false},
	} {
		endpoint, name, prefix, secure, err := parseBucket(c.address)
		if (err != nil) != (c.name == "") || endpoint != c.endpoint && err == nil || name != c.name || prefix != c.prefix || secure != c.secure {
			t.Errorf("%s: %s, %s, %s, %v, %v", c.address, endpoint, name, prefix, secure, err)
		}
	}
}

// TestBucketDamageIsRefused changes and removes objects.
func TestBucketDamageIsRefused(t *testing.T) {
	w := openAt(t, inBucket, 0)
	day := w.days[0]
	if _, err := w.Put(t.Context(), "sip", day); err != nil {
		t.Fatal(err)
	}
	found, err := w.List(t.Context(), "sip")
	if err != nil {
		t.Fatal(err)
	}
	b, name := w.store.(*bucket), found[0].name(found[0].Files[0])
	if want := w.options.Bucket + name; found[0].Path(found[0].Files[0]) != want {
		t.Errorf("a file is said to be at %s, and is at %s", found[0].Path(found[0].Files[0]), want)
	}
	whole, err := b.read(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	put := func(content []byte) {
		t.Helper()
		if _, err := b.client.PutObject(t.Context(), b.name, b.prefix+name, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w.exec(t, "TRUNCATE TABLE sip")
	refused := func(want string) {
		t.Helper()
		_, err := w.Restore(t.Context(), RestoreRequest{Table: "sip", Day: day})
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if n := len(w.content(t, "sip")); n != 0 {
			t.Errorf("%d bytes of rows came back", n)
		}
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	put(flipped)
	refused("SHA-256")
	put(whole[:len(whole)-1])
	refused("bytes, and had")
	if err := b.client.RemoveObject(t.Context(), b.name, b.prefix+name, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	refused("not exist")
	put(whole)
	if _, err := w.Restore(t.Context(), RestoreRequest{Table: "sip", Day: day}); err != nil {
		t.Errorf("mended: %v", err)
	}
}

// TestBucketParts writes more than one part holds, and then something that breaks
// off in its second part.
func TestBucketParts(t *testing.T) {
	var o Options
	inBucket(t, &o)
	b, err := openBucket(o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := b.draft(t.Context(), "sip", "2026-11-21", "heplake/sip/2026-11-21/1")
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789abcde\n"), 2*partBytes/16+1)
	name, size, err := d.write(t.Context(), d.file(0), bytes.NewReader(content))
	if err != nil || size != int64(len(content)) {
		t.Fatalf("%d of %d bytes were written, %v", size, len(content), err)
	}
	if got, err := b.read(t.Context(), name); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back of %d, %v", len(got), len(content), err)
	}
	broken := errors.New("the query broke off")
	if _, _, err := d.write(t.Context(), d.file(1), io.MultiReader(bytes.NewReader(content[:partBytes+5]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	if _, err := b.open(t.Context(), path.Join("heplake/sip/2026-11-21/1", d.file(1))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a file is there: %v", err)
	}
}

// TestBucketLosesWhatItTook has the storage give back something other than what it
// was given: the day is not archived, and nothing is left that looks like it.
func TestBucketLosesWhatItTook(t *testing.T) {
	var broken atomic.Bool
	address := objects(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !broken.Load() || r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, ".parquet") {
			return false
		}
		w.Header().Set("Last-Modified", "Sat, 21 Nov 2026 10:00:00 GMT")
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
		_, _ = io.WriteString(w, "PAR1 and nothing else PAR1")
		return true
	})
	w := openAt(t, bucketAt(address), 0)
	broken.Store(true)
	if err := w.Archive.Archive(t.Context(), "sip", w.days[0]); err == nil {
		t.Error("the day counts as archived")
	}
	if keys := w.keys(t); len(keys) != 0 {
		t.Errorf("left is %v", keys)
	}
	broken.Store(false)
	if err := w.Archive.Archive(t.Context(), "sip", w.days[0]); err != nil {
		t.Error(err)
	}
}

// TestBucketIsAway archives nothing while the storage refuses, at whatever step.
func TestBucketIsAway(t *testing.T) {
	var refuse atomic.Value
	refuse.Store("")
	address := objects(t, func(w http.ResponseWriter, r *http.Request) bool {
		part := refuse.Load().(string)
		if part == "" || r.Method != http.MethodPut || !strings.Contains(r.URL.Path, part) {
			return false
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
		return true
	})
	w := openAt(t, bucketAt(address), 0)
	for _, part := range []string{".parquet", manifestName} {
		refuse.Store(part)
		if err := w.Archive.Archive(t.Context(), "sip", w.days[0]); err == nil {
			t.Errorf("without %s the day counts as archived", part)
		}
		if found, err := w.List(t.Context(), ""); err != nil || len(found) != 0 {
			t.Errorf("without %s: %v, %v", part, found, err)
		}
		if keys := w.keys(t); len(keys) != 0 {
			t.Errorf("without %s is left %v", part, keys)
		}
	}
}

// TestTwoMachines has another machine, which has locks of its own, archive a day
// while this one does: one of them is refused, and overwrites nothing.
func TestTwoMachines(t *testing.T) {
	w := openAt(t, inBucket, 0)
	day := w.days[0]
	d, err := w.store.draft(t.Context(), "sip", day, w.folder("sip", day)+"/1")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.write(t.Context(), d.file(0), strings.NewReader("slower")); err != nil {
		t.Fatal(err)
	}
	other := w.options
	other.Local = t.TempDir()
	a, err := Open(other)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if again, err := openBucket(other); err != nil || again.locker() != a.store.locker() || a.store.locker() == w.store.locker() {
		t.Errorf("machines %s and %s, %v", a.store.locker(), w.store.locker(), err)
	}
	if _, err := a.Put(t.Context(), "sip", day); err != nil {
		t.Fatal(err)
	}
	before, err := a.List(t.Context(), "sip")
	if err != nil || len(before) != 1 {
		t.Fatalf("%v, %v", before, err)
	}
	if err := d.publish(t.Context(), []byte("{}")); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want ErrBusy", err)
	}
	d.discard()
	after, err := w.List(t.Context(), "sip")
	if err != nil || len(after) != 1 || after[0].Verify(t.Context()) != nil || after[0].Files[0].Name != before[0].Files[0].Name {
		t.Errorf("%v, %v", after, err)
	}
	if keys := w.keys(t); len(keys) != 2 {
		t.Errorf("there is %v", keys)
	}
}

// TestBucketAfterACrash finds what a process left that was killed before its
// manifest, and after it.
func TestBucketAfterACrash(t *testing.T) {
	w := openAt(t, inBucket, 0)
	b, day, folder := w.store.(*bucket), w.days[0], w.folder("sip", w.days[0])
	left, err := w.store.draft(t.Context(), "sip", day, folder+"/1")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := left.write(t.Context(), left.file(0), strings.NewReader("half")); err != nil {
		t.Fatal(err)
	}
	if found, err := w.List(t.Context(), ""); err != nil || len(found) != 0 {
		t.Errorf("what has no manifest is listed: %v, %v", found, err)
	}
	pending := func(want bool) {
		t.Helper()
		if days, err := w.Pending(t.Context(), "sip", tomorrow()); err != nil || slices.Contains(days, day) != want {
			t.Errorf("not archived is %v, %v", days, err)
		}
	}
	pending(true)
	if _, err := w.Put(t.Context(), "sip", day); err != nil {
		t.Fatal(err)
	}
	pending(false)
	if keys := w.keys(t); len(keys) != 2 || strings.Contains(fmt.Sprint(keys), left.file(0)) {
		t.Errorf("there is %v", keys)
	}
	// Killed between the manifest and the end: the token is still noted.
	found, err := w.List(t.Context(), "sip")
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSuffix(strings.TrimPrefix(found[0].Files[0].Name, "0000-"), ".parquet")
	if err := os.WriteFile(b.note(w.folder("sip", day)), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	w.exec(t, "INSERT INTO sip (time, own_call_id) SELECT min(time), 'late' FROM sip")
	if r, err := w.Put(t.Context(), "sip", day); err != nil || r.Rows != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if found, err = w.List(t.Context(), "sip"); err != nil || len(found) != 2 || found[0].Verify(t.Context()) != nil || found[1].Verify(t.Context()) != nil {
		t.Errorf("%v, %v", found, err)
	}
	// That the first has no manifest any more is no draft.
	if err := b.client.RemoveObject(t.Context(), b.name, b.prefix+folder+"/1/"+manifestName, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Restore(t.Context(), RestoreRequest{Table: "sip", Day: day}); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v, want ErrDamaged", err)
	}
}

// TestRowsThatStay refuses a day that has rows of a tenant that stay where they
// are: nothing of it gets into the bucket.
func TestRowsThatStay(t *testing.T) {
	w := openAt(t, inBucket, 0)
	staying := w.options
	staying.Residents = []string{"other", "acme"}
	a, err := Open(staying)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var day string
	if err := w.lake.DB.QueryRow(t.Context(), "SELECT toString(toDate(min(time))) FROM events WHERE tenant = 'acme'").Scan(&day); err != nil {
		t.Fatal(err)
	}
	if err := a.Archive(t.Context(), "events", day); !errors.Is(err, ErrResidency) || !strings.Contains(err.Error(), "acme") {
		t.Errorf("%v, want ErrResidency for acme", err)
	}
	if keys := w.keys(t); len(keys) != 0 {
		t.Errorf("there is %v", keys)
	}
	if err := a.Archive(t.Context(), "media", day); err != nil {
		t.Errorf("a table without rows of theirs: %v", err)
	}
}

// TestSQLOverTheBucket runs the query of docs/storage.md.
func TestSQLOverTheBucket(t *testing.T) {
	w := openAt(t, inBucket, 0)
	var want, got uint64
	if err := w.lake.DB.QueryRow(t.Context(), "SELECT count() FROM sip").Scan(&want); err != nil {
		t.Fatal(err)
	}
	w.putAll(t)
	page, err := os.ReadFile(filepath.Join(captures.Root(), "docs", "storage.md"))
	if err != nil {
		t.Fatal(err)
	}
	const example = "s3('https://minio:9000/bucket/archive/heplake/sip/*/*/*.parquet', 'KEY', 'SECRET')"
	if !bytes.Contains(page, []byte(example)) {
		t.Fatalf("docs/storage.md has no %s", example)
	}
	from := strings.NewReplacer("https://minio:9000/bucket/archive/heplake/", w.options.Bucket+w.lake.Name+"/", "KEY", "key", "SECRET", "secret").Replace(example)
	if err := w.lake.DB.QueryRow(t.Context(), "SELECT count() FROM "+from+" WHERE length(raw) > 0").Scan(&got); err != nil || got != want {
		t.Errorf("%d of %d messages, %v", got, want, err)
	}
}

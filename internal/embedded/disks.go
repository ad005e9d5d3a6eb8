package embedded

// Policy is the storage policy that an engine with a cold disk has: the volume
// default, which is the engine's own disk, and the volume [ColdVolume]. A table
// that was made without a policy can be given it in place.
const (
	Policy     = "heplake"
	ColdVolume = "cold"
)

// ColdDisk says where the cold disk is: a folder, or a bucket of an object store
// that speaks S3 (AWS, GCS by its XML interface, MinIO).
type ColdDisk struct {
	// Path is the folder. It is created with mode 0700.
	Path string
	// URL is the endpoint with bucket and prefix, ending in a slash. Key and Secret
	// are the credentials; empty: the environment's, or the machine's role.
	URL, Key, Secret string
}

// On tells whether there is one.
func (d ColdDisk) On() bool { return d.Path != "" || d.URL != "" }

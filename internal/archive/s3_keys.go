package archive

import (
	"errors"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// keysOf are the keys of the options, or else those that the machine has.
func keysOf(o Options) *credentials.Credentials {
	if o.Key != "" {
		return credentials.NewStaticV4(o.Key, o.Secret, "")
	}
	return credentials.New(machineKeys{&credentials.Chain{Providers: []credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: 5 * time.Second}},
	}}})
}

// errNoKeys says where keys were looked for.
var errNoKeys = errors.New("there is no access key: archive.key and archive.secret are not set, nor are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials has none, and the machine has no role")

// machineKeys are the keys that a machine has of its own. Without any a request is
// refused here and not sent without a signature, as the client would.
type machineKeys struct{ *credentials.Chain }

func (k machineKeys) RetrieveWithCredContext(c *credentials.CredContext) (credentials.Value, error) {
	return some(k.Chain.RetrieveWithCredContext(c))
}

func (k machineKeys) Retrieve() (credentials.Value, error) { return some(k.Chain.Retrieve()) }

func some(v credentials.Value, err error) (credentials.Value, error) {
	if err == nil && v.AccessKeyID == "" {
		err = errNoKeys
	}
	return v, err
}

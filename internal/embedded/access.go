package embedded

import (
	"os"
	"time"
)

// accessEvery is how often Config.AccessFile is looked at.
const accessEvery = time.Second

// stamp tells states of a file apart; that of a file that is not there is zero.
type stamp struct {
	modified time.Time
	size     int64
}

func fileStamp(path string) stamp {
	if path == "" {
		return stamp{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// accessChanged tells whether the child is to be executed anew. What cannot be
// read is left until it can: the engine goes on with the users it knows.
func (s *Server) accessChanged() bool {
	now := fileStamp(s.cfg.AccessFile)
	if s.cfg.Access == nil || now == s.accessAt {
		return false
	}
	if _, err := s.cfg.Access(); err != nil {
		s.accessAt = now
		s.log.Error("embedded clickhouse: its users changed, and cannot be read", "error", err)
		return false
	}
	return true
}

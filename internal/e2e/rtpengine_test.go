package e2e

import (
	"encoding/binary"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/query"
)

// mediaPorts is how many ports rtpengine gets: it takes four for a call.
const mediaPorts = 16

// rtpengine starts the relay with the configuration we ship; the command line
// moves its ports and its collector.
func rtpengine(t *testing.T, collector, protocol string) (ng, firstPort int) {
	t.Helper()
	program := need(t, "rtpengine")
	ng, firstPort = freePort(t), freePorts(t, mediaPorts)
	p := start(t, os.Environ(), program,
		"--config-file="+filepath.Join(captures.Root(), "deploy", "rtpengine", "rtpengine.conf"), "--foreground", "--log-stderr", "--no-log-timestamps",
		sprintf("--listen-ng=127.0.0.1:%d", ng), "--homer="+collector, "--homer-protocol="+protocol, "--homer-id=3077",
		"--port-min="+strconv.Itoa(firstPort), "--port-max="+strconv.Itoa(firstPort+mediaPorts-1), "--pidfile="+filepath.Join(t.TempDir(), "rtpengine.pid"))
	eventually(t, "rtpengine listens", func() (bool, string) {
		if p.ended() {
			t.Fatalf("rtpengine ended: %v\n%s", p.err, p.said())
		}
		return udpBound(ng), string(p.said())
	})
	return ng, firstPort
}

// lost and jitter are what the caller reports of the called one's stream:
// jitter in units of the 8 kHz clock, 25 ms.
const (
	lostPackets = 12
	jitterUnits = 200
)

// senderReport is an RTCP SR with one report block (RFC 3550 section 6.4.1).
func senderReport() []byte {
	b := []byte{0x81, 200, 0, 12}
	u32 := func(v uint32) { b = binary.BigEndian.AppendUint32(b, v) }
	const era = 2208988800 // NTP counts from 1900
	u32(0x11111111)        // who sends
	u32(uint32(time.Now().Unix() + era))
	u32(0)
	u32(160_000) // RTP time
	u32(1000)    // packets sent
	u32(160_000) // octets sent
	u32(0x22222222)
	b = append(b, 3, 0, 0, lostPackets) // 3/256 since the last report
	u32(1000)                           // highest sequence number
	u32(jitterUnits)
	u32(0) // no SR received yet
	u32(0)
	return b
}

// TestRtpengine places a call whose media runs through a real rtpengine, sends
// RTCP to it, and asks for the call's quality.
func TestRtpengine(t *testing.T) {
	for _, program := range []string{"kamailio", "sipp", "rtpengine"} {
		need(t, program)
	}
	l := serve(t, t.TempDir())
	db := l.sql()
	for _, protocol := range []string{"udp", "tcp"} {
		t.Run(protocol, func(t *testing.T) {
			l.t = t
			ng, firstPort := rtpengine(t, l.addr["hep_"+protocol], protocol)
			k := kamailio(t, `HEPLAKE_URI="sip:`+l.addr["hep_udp"]+`"`, "WITH_RTPENGINE", sprintf(`RTPENGINE_SOCK="udp:127.0.0.1:%d"`, ng))

			// The caller's RTCP socket: the port behind that of its media in SDP.
			rtp := freePorts(t, 2)
			rtcp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: rtp + 1})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rtcp.Close() }()

			// The first user's call is answered, and held for long enough.
			p := calls{proxy: k, id: "media-" + protocol, n: 1, hold: 2 * time.Second, rtp: rtp}.place(t)
			callID := ""
			eventually(t, "the call is answered", func() (bool, string) {
				err := db.QueryRow(t.Context(), "SELECT any(call_id) FROM sip WHERE call_id LIKE ? AND method = 'ACK'", "media-"+protocol+"%").Scan(&callID)
				return err == nil && callID != "", sprintf("%v", err)
			})
			reports := 0
			eventually(t, "the report reaches media under the Call-ID", func() (bool, string) {
				for port := firstPort + 1; port < firstPort+mediaPorts; port += 2 {
					_, _ = rtcp.WriteToUDP(senderReport(), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}) // ports without a call refuse
				}
				reports = count(t, db, "media WHERE source = 'rtcp' AND call_id = ? AND capture_id = 3077", callID)
				return reports > 0, ""
			})
			p.finish()
			k.stop()

			var quality query.Quality
			if err := json.Unmarshal([]byte(l.must("quality", callID, "-o", "json")), &quality); err != nil {
				t.Fatal(err)
			}
			checkQuality(t, "heplake quality", quality)
			l.answer(http.MethodGet, "/api/v3/call/quality/"+url.PathEscape(callID), "", &quality)
			checkQuality(t, "GET /api/v3/call/quality", quality)
		})
	}
	l.t = t
	l.stop()
}

func checkQuality(t *testing.T, door string, q query.Quality) {
	t.Helper()
	if q.Reports == 0 || len(q.Streams) == 0 {
		t.Errorf("%s has no report: %+v", door, q)
	}
	if q.PacketsLost != lostPackets {
		t.Errorf("%s: %d packets lost, reported %d", door, q.PacketsLost, lostPackets)
	}
	if q.JitterAvg == nil || *q.JitterAvg != jitterUnits/8 {
		t.Errorf("%s: jitter %v, reported %d ms", door, q.JitterAvg, jitterUnits/8)
	}
	if q.MOS == nil || *q.MOS < 1 || *q.MOS > 5 {
		t.Errorf("%s: MOS %v", door, q.MOS)
	}
}

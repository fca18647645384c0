package clients

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"popelago/integration/servertest"
	"popelago/mailtest"
)

// corpusFiles writes the chosen messages, each to a file with its name; see inRun for huge.
func corpusFiles(t testing.TB, huge bool, fits func(mailtest.Message) bool) []string {
	t.Helper()
	dir := servertest.PublicDir(t)
	var names []string
	for _, m := range mailtest.Corpus() {
		if !inRun(m, huge) || fits != nil && !fits(m) {
			continue
		}
		name := filepath.Join(dir, m.Name)
		if err := os.WriteFile(name, m.Octets(), 0o644); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// wantCorpus checks that a maildrop has exactly the messages of some files, unchanged. sent holds the
// messages, by name, that the program changes at sending.
func wantCorpus(t testing.TB, s *servertest.Server, a servertest.Account, files []string, sent map[string]string) {
	t.Helper()
	got := s.CorpusOf(t, a, sent)
	for _, file := range files {
		if _, ok := got[filepath.Base(file)]; !ok {
			t.Errorf("%s did not arrive", filepath.Base(file))
		}
	}
	if len(got) != len(files) {
		t.Errorf("%d messages arrived, want %d", len(got), len(files))
	}
}

func port(t testing.TB, address string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// entrance is a way in for mail.
type entrance struct {
	name     string
	lmtp     bool
	starttls bool
}

var entrances = []entrance{{name: "smtp"}, {name: "starttls", starttls: true}, {name: "lmtp", lmtp: true}}

// entrancesOf returns the entrances of a server that the programs use. Every engine stores the same
// mail of an entrance. So without TEST_CHAOS=1 the programs use one entrance of each protocol on
// Cassandra.
func entrancesOf(on servertest.Setup) []entrance {
	if !on.Cassandra || os.Getenv("TEST_CHAOS") != "" {
		return entrances
	}
	return slices.DeleteFunc(slices.Clone(entrances), func(e entrance) bool { return e.name == "smtp" })
}

func (e entrance) port(t testing.TB, s *servertest.Server) string {
	if e.lmtp {
		return port(t, s.LMTP)
	}
	return port(t, s.SMTP)
}

// TestSending lets real programs bring the corpus in.
func TestSending(t *testing.T) { servertest.OnEachEngine(t, node, testSending) }

func testSending(t *testing.T, on servertest.Setup) {
	s := servertest.StartServer(t, on)
	for _, e := range entrancesOf(on) {
		t.Run("smtplib/"+e.name, func(t *testing.T) {
			servertest.NeedProgram(t, "python3", "python3")
			a := s.Account(t, "smtplib-"+e.name)
			files := corpusFiles(t, false, nil)
			args := []string{script(t, "send_smtplib.py"), e.port(t, s), e.name, s.CA.File, a.Address}
			servertest.Program{}.Must(t, "python3", append(args, files...)...)
			wantCorpus(t, s, a, files, map[string]string{"empty": "\r\n"}) // smtplib ends a text with CRLF
		})
		t.Run("swaks/"+e.name, func(t *testing.T) {
			servertest.NeedProgram(t, "swaks", "swaks")
			if e.starttls && exec.Command("perl", "-MNet::SSLeay", "-e1").Run() != nil {
				servertest.Cannot(t, "swaks has no TLS: apt-get install libnet-ssleay-perl")
			}
			a := s.Account(t, "swaks-"+e.name)
			files := corpusFiles(t, false, func(m mailtest.Message) bool {
				return slices.Contains([]string{"plain", "dots", "8bit", "line-70k", "empty"}, m.Name)
			})
			for i, file := range files {
				// Without its fix-ups swaks sends the octets as they are.
				wire := file + ".wire"
				servertest.WriteFile(t, wire, servertest.Stuff([]byte(servertest.ReadFile(t, file)))+".\r\n")
				args := []string{"--server", "localhost", "--port", e.port(t, s), "--helo", "tests.example",
					"--from", servertest.Sender(filepath.Base(file)), "--to", a.Address, "--data", "@" + wire, "--no-data-fixup", "--timeout", "600"}
				if e.lmtp {
					args = append(args, "--protocol", "LMTP")
				}
				if e.starttls {
					args = append(args, "--tls", "--tls-verify", "--tls-ca-path", s.CA.File)
				}
				if i%2 == 1 {
					args = append(args, "--pipeline")
				}
				servertest.Program{}.Must(t, "swaks", args...)
			}
			wantCorpus(t, s, a, files, nil)
		})
		if e.lmtp {
			continue // curl speaks no LMTP
		}
		t.Run("curl/"+e.name, func(t *testing.T) {
			servertest.NeedProgram(t, "curl", "curl")
			a := s.Account(t, "curl-"+e.name)
			files := corpusFiles(t, e.starttls, nil)
			for _, file := range files {
				args := []string{"--silent", "--show-error", "--mail-from", servertest.Sender(filepath.Base(file)), "--mail-rcpt", a.Address,
					"--upload-file", file, "--cacert", s.CA.File}
				if e.starttls {
					args = append(args, "--ssl-reqd")
				}
				servertest.Program{}.Must(t, "curl", append(args, "smtp://localhost:"+e.port(t, s)+"/tests.example")...)
			}
			wantCorpus(t, s, a, files, nil)
		})
	}
}

// TestBareLineEndsAreRefused sends texts that servers read in different ways. The text is refused
// after its end, the session continues, and nothing is stored.
func TestBareLineEndsAreRefused(t *testing.T) {
	s := servertest.StartServer(t, servertest.Setup{})
	a := s.Account(t, "alice")
	smuggled := "MAIL FROM:<mallory@sender.example>\r\nRCPT TO:<" + a.Address + ">\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
	for _, text := range []string{
		"bare\nline feed\r\n",
		"bare\rcarriage return\r\n",
		"at the end\n",
		"at the end\r",
		"two\r\r\n",
		"\n.\n" + smuggled,
		"\n.\r\n" + smuggled,
		"\r\n.\n" + smuggled,
		"\r.\r" + smuggled,
		"\r.\r\n" + smuggled,
		"\r\n.\r" + smuggled,
		"\r\n\x00.\r\n\n.\r\n",
	} {
		for _, e := range entrances {
			if e.starttls {
				continue
			}
			t.Run(fmt.Sprintf("%s/%.12q", e.name, text), func(t *testing.T) {
				var c *mailtest.Client
				if e.lmtp {
					c = s.LMTPSession(t)
				} else {
					c = mailtest.Dial(t, s.SMTP)
					c.Expect("220 ")
					c.Cmd("EHLO tests.example")
					servertest.EndReply(c)
				}
				servertest.StartTransaction(c, servertest.Sender("plain"), []servertest.Account{a})
				c.Cmd("DATA")
				c.Expect("250")
				c.Expect("250")
				c.Expect("354")
				// A vulnerable server reads the rest as commands of the session.
				octets := "Subject: x\r\n\r\n" + text
				if !strings.HasSuffix(octets, "\r\n.\r\n") {
					octets += "\r\n.\r\n"
				}
				c.Send(octets)
				c.Expect("5")
				c.Do("NOOP", "250")
				c.Do("QUIT", "221")
				c.ExpectEOF()
			})
		}
	}
	if n := s.Count(t, a); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
}

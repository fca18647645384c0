package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"popelago/integration/servertest"
	"popelago/mailtest"
)

var makeData = flag.String("make-data", "", "write a data folder of this build to testdata/data-`NAME`.tar.gz")

// oldMessage is the expectation for one message of an old data folder.
type oldMessage struct {
	UIDL   string `json:"uidl"`
	SHA256 string `json:"sha256"`
}

// oldAccount is the account of every old data folder.
var oldAccount = servertest.Account{Address: "old@" + servertest.Domain, Password: "password of old times"}

// TestOpensOldData opens the data folders of earlier versions: one for each released form.
// Accounts, passwords, unique-ids and octets must be unchanged, and the folder must accept mail and
// remove it.
//
// go test ./integration -run TestOpensOldData -make-data NAME makes a new folder.
func TestOpensOldData(t *testing.T) {
	if *makeData != "" {
		makeOldData(t, *makeData)
	}
	archives, err := filepath.Glob("testdata/data-*.tar.gz")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no old data: %v", err)
	}
	for _, archive := range archives {
		name := strings.TrimSuffix(filepath.Base(archive), ".tar.gz")
		t.Run(name, func(t *testing.T) {
			var want []oldMessage
			if err := json.Unmarshal([]byte(servertest.ReadFile(t, filepath.Join("testdata", name+".json"))), &want); err != nil {
				t.Fatal(err)
			}
			data := filepath.Join(servertest.PublicDir(t), "data")
			unpack(t, archive, data)
			s := servertest.NewServer(t, servertest.Setup{Data: data})
			s.Start(t)
			got := describe(s.Maildrop(t, oldAccount))
			if len(got) != len(want) {
				t.Fatalf("%d messages, want %d", len(got), len(want))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("message %d is %v, was %v", i+1, got[i], want[i])
				}
			}
			c := s.LMTPSession(t)
			servertest.Send(t, c, servertest.Sender("new"), []servertest.Account{oldAccount}, servertest.SmallMessage(0))
			p := s.Login(t, oldAccount)
			p.Do("DELE 1", "+OK")
			p.Do("QUIT", "+OK")
			if n := s.Count(t, oldAccount); n != len(want) {
				t.Errorf("%d messages after one came and one went, want %d", n, len(want))
			}
		})
	}
}

func describe(messages []servertest.Stored) []oldMessage {
	var all []oldMessage
	for _, m := range messages {
		all = append(all, oldMessage{m.UIDL, fmt.Sprintf("%x", sha256.Sum256(m.Octets))})
	}
	return all
}

// makeOldData writes a folder with an account, the smaller messages of the corpus, one of them
// removed, and the expectations.
func makeOldData(t *testing.T, name string) {
	t.Helper()
	s := servertest.StartServer(t, servertest.Setup{})
	admin := s.Admin()
	defer admin.Close()
	if _, err := admin.AddAccount(servertest.Deadline(t, servertest.StartLimit), oldAccount.Address, oldAccount.Password); err != nil {
		t.Fatal(err)
	}
	s.DeliverCorpus(t, map[servertest.Account]func(mailtest.Message) bool{oldAccount: func(m mailtest.Message) bool { return !m.Large }})
	p := s.Login(t, oldAccount)
	p.Do("DELE 2", "+OK")
	p.Do("QUIT", "+OK")
	text, err := json.MarshalIndent(describe(s.Maildrop(t, oldAccount)), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	s.Stop(t)
	servertest.WriteFile(t, filepath.Join("testdata", "data-"+name+".json"), string(text)+"\n")
	pack(t, s.Data, filepath.Join("testdata", "data-"+name+".tar.gz"))
}

func pack(t testing.TB, dir, archive string) {
	t.Helper()
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(zip)
	walk := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		err = w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o600, Size: int64(len(content))})
		_, writeErr := w.Write(content)
		return errors.Join(err, writeErr)
	})
	if err := errors.Join(walk, w.Close(), zip.Close(), os.WriteFile(archive, out.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func unpack(t testing.TB, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !filepath.IsLocal(h.Name) {
			t.Fatalf("%s in the archive", h.Name)
		}
		path := filepath.Join(dir, h.Name)
		content, err := io.ReadAll(r)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

package datacenters

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// TestSessionsOfBothDatacenters: a server lists and ends the sessions of both datacenters. A server that was
// killed is named in the answer, before and after its heartbeat expires; a server that was stopped is not.
func TestSessionsOfBothDatacenters(t *testing.T) {
	if testing.Short() {
		t.Skip("needs two Cassandra nodes")
	}
	s := startPeers(t)
	ask := askPeers(t, s)
	alice := s.One.Account(t, "alice")
	here := s.One.Login(t, alice)
	defer here.Close()
	there := s.Two.Login(t, alice)
	defer there.Close()

	of := adminclient.SessionFilter{User: alice.Address}
	var across string
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		list, err := ask.Sessions(servertest.Deadline(t, servertest.StartLimit), of, 0)
		if err != nil || !list.Complete || len(list.Sessions) != 2 || len(list.Servers) != 2 {
			return fmt.Errorf("%+v, %v; want a session in each datacenter", list, err)
		}
		for _, one := range list.Sessions {
			if one.Datacenter == "dc2" {
				across = one.ID
			}
		}
		return nil
	})
	for _, want := range []int{1, 0} {
		ended, err := ask.EndSessions(servertest.Deadline(t, servertest.StartLimit), adminclient.SessionEnd{SessionFilter: adminclient.SessionFilter{ID: across}})
		if err != nil || !ended.Complete || ended.Ended != want {
			t.Errorf("%+v, %v; want %d sessions to end", ended, err, want)
		}
		mailtest.WaitFor(t, sitetest.Limit, func() error {
			list, err := ask.Sessions(servertest.Deadline(t, servertest.StartLimit), of, 0)
			if err != nil || !list.Complete || len(list.Sessions) != 1 || list.Sessions[0].Datacenter != "dc1" {
				return fmt.Errorf("%+v, %v; want the session in dc1 alone", list, err)
			}
			return nil
		})
	}

	s.Two.Proc.Signal(syscall.SIGKILL)
	s.Two.Proc.Wait(t, servertest.StopLimit)
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		list, err := ask.Sessions(servertest.Deadline(t, servertest.StartLimit), of, 0)
		if err != nil {
			return err
		}
		if list.Complete || len(list.Sessions) != 1 || len(list.Servers) != 2 || list.Servers[1].Answered || list.Servers[1].Problem == "" {
			t.Fatalf("with a killed server: %+v", list)
		}
		if list.Servers[1].LastHeartbeat == nil {
			return fmt.Errorf("the heartbeat has not expired: %+v", list.Servers[1])
		}
		return nil
	})

	s.Two.Start(t)
	servers := func(want int) {
		t.Helper()
		mailtest.WaitFor(t, sitetest.Limit, func() error {
			list, err := ask.Servers(servertest.Deadline(t, servertest.StartLimit))
			if err != nil || !list.Complete || len(list.Servers) != want {
				return fmt.Errorf("%+v, %v; want %d servers that answer", list, err, want)
			}
			return nil
		})
	}
	servers(2)
	s.Two.Stop(t)
	servers(1)
}

// startPeers starts a server in each datacenter; each asks the other with the token of its caller.
func startPeers(t *testing.T) *sitetest.Sites {
	t.Helper()
	s := &sitetest.Sites{Cluster: sitetest.NewCluster(t, datacenters.Get(t))}
	authorities := filepath.Join(t.TempDir(), "peers.pem")
	prepare := func(datacenter string) *servertest.Server {
		address := servertest.FreeAddress(t)
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		return servertest.NewServer(t, s.Setup(datacenter,
			fmt.Sprintf("admin.listen = %q", address), fmt.Sprintf("admin.advertise = %q", "https://localhost:"+port),
			`admin.peers = ["localhost"]`, fmt.Sprintf("admin.peers_ca = %q", authorities), `admin.peers_timeout = "1m"`))
	}
	s.One, s.Two = prepare("dc1"), prepare("dc2")
	var both bytes.Buffer
	for _, srv := range s.Both() {
		pem, err := os.ReadFile(srv.CA.File)
		if err != nil {
			t.Fatal(err)
		}
		both.Write(pem)
	}
	if err := os.WriteFile(authorities, both.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, srv := range s.Both() {
		srv.Start(t)
	}
	sitetest.Host(t, s.One)
	return s
}

// askPeers returns a client of the API of dc1, with a token for everything.
func askPeers(t *testing.T, s *sitetest.Sites) *adminclient.Client {
	t.Helper()
	var made adminclient.MadeToken
	s.Administer(t, s.One, func(ctx context.Context, admin *adminclient.Client) (err error) {
		made, err = admin.AddToken(ctx, adminclient.NewToken{Role: "admin", Scopes: []string{"all"}, Lifetime: "1d"})
		return err
	})
	ask, err := adminclient.Via("https://"+s.One.API(t), made.Secret, &http.Transport{TLSClientConfig: s.One.CA.Client()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ask.Close)
	return ask
}

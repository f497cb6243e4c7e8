package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// Applications lists the clients of the tenant at domain, for a first manifest: before
// there is one, credentials come as they are.
func Applications(ctx context.Context, domain, clientID, clientSecret, token string) ([]map[string]any, error) {
	if token == "" && (clientID == "" || clientSecret == "") {
		return nil, errors.New("set ECPLAN_CLIENT_ID and ECPLAN_CLIENT_SECRET to have them offered")
	}
	host, _, err := net.SplitHostPort(domain)
	if err != nil {
		host = domain
	}
	ip := net.ParseIP(host)
	cfg := tenant.Config{Name: domain, Domain: domain, Insecure: host == "localhost" || ip != nil && ip.IsLoopback()}
	if cfg.Token = token; token == "" {
		cfg.ClientID, cfg.ClientSecret = clientID, clientSecret
	}
	client, err := tenant.Open(cfg)
	if err != nil {
		return nil, fmt.Errorf("tenant %s: %w", domain, err)
	}
	read := kind.Read{Path: "clients", Query: "is_global=false", List: "clients", Scopes: []string{"read:clients"}}
	answers, err := client.Read(ctx, []kind.Read{read})
	if err != nil {
		return nil, err
	}
	view := &kind.View{}
	view.Answer(answers)
	items, _ := view.Items(read)
	return items, nil
}

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/report"
)

func handoffCommand() *cli.Command {
	return &cli.Command{
		Name:  "handoff",
		Usage: "write the letter to Okta that ends the guide; refuses while a set-up check fails; sends nothing",
		Flags: append(loadFlags(), tenantFlag(), formatFlag(report.Text, report.JSON), noColorFlag(), storeFlag(),
			&cli.StringFlag{Name: "app", Usage: "hand over the ExpressConfiguration `NAME` alone, where there are several"},
			&cli.StringFlag{Name: "oin-name", Usage: "call the application `NAME`, as in the OIN; the application's own name if not given"},
			&cli.StringFlag{Name: "okta-org", Usage: "name the Okta `ORG` in which the integration is developed"},
			&cli.StringFlag{Name: "from", Usage: "write the letter from `ADDRESS`"},
			&cli.StringFlag{Name: "eml", Usage: "also write the letter to `FILE`, for a mail program to open; of several applications, one file each in the folder FILE"},
			&cli.BoolFlag{Name: "request-key", Usage: "ask Okta for its public key, which it hands out once it knows the client id"},
		),
		Action: handoff,
	}
}

func handoff(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("handoff takes no argument, and got %q; name the tenant with --tenant", c.Args().First())
	}
	ts, err := loadTargets(c)
	if err != nil {
		return err
	}
	if len(ts) != 1 {
		return errors.New("an integration in the OIN has one tenant; name it with --tenant")
	}
	mails, err := ts[0].Handoff(c.Context, express.Handoff{
		App: c.String("app"), OINName: c.String("oin-name"), OktaOrg: c.String("okta-org"), From: c.String("from"), RequestKey: c.Bool("request-key"), Tool: version,
	})
	if err != nil {
		return err
	}
	if err := saveMails(c.String("eml"), mails); err != nil {
		return err
	}
	return report.Mails(streams(c).Out, mails, look(c, streams(c).Out))
}

// saveMails writes each letter as a file; "" writes none.
func saveMails(file string, mails []express.Mail) error {
	if file == "" {
		return nil
	}
	for _, m := range mails {
		name := file
		if len(mails) > 1 {
			name = filepath.Join(file, strings.ReplaceAll(m.App, string(filepath.Separator), "-")+".eml")
			if err := os.MkdirAll(file, 0o700); err != nil {
				return unsaved("the letter", name, err)
			}
		}
		data, err := m.EML()
		if err != nil {
			return err
		}
		if err := saveFile("the letter", name, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

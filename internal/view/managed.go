package view

import (
	"strings"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// managedVersion is the version of every managed view.
const managedVersion = 1

// managedARN names a view that every instance has, as Connect does: it belongs to no account and no instance.
func managedARN(id string) string { return "arn:aws:connect:" + resource.Region + ":aws:view/" + id }

// managedID takes the id out of such an ARN, of whatever region.
func managedID(ref string) (string, bool) {
	parts := strings.SplitN(ref, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "connect" || parts[4] != "aws" {
		return "", false
	}
	id, ok := strings.CutPrefix(parts[5], "view/")
	return id, ok && id != ""
}

// managed is a view that every instance has.
func managed(id, ref string) (*Edition, error) {
	for _, v := range Managed() {
		if v.ID == id || strings.EqualFold(v.Name, id) {
			return &Edition{View: v, Managed: true, Number: managedVersion, Status: Published, Content: v.Draft}, nil
		}
	}
	return nil, errs.New(errs.NotFound, "there is no view %.200q", ref)
}

// Managed are the views that every instance has. Their names, actions and data are those of Connect; how they look is the
// client's affair, so the templates only say what is where.
func Managed() []*View {
	var out []*View
	for _, m := range []struct {
		id, name, description string
		actions               []string
		template              string
	}{
		{
			"form", "Form", "Asks for data in sections, with Previous, Next, Edit and Cancel",
			[]string{"Back", "Next", "Cancel", "Edit"},
			template("Form", "AttributeBar", "Back", "Cancel", "Edit", "ErrorText", "Heading", "Next", "Previous", "Sections", "SubHeading", "Wizard"),
		},
		{
			"detail", "Detail", "Shows information, and offers actions",
			[]string{"ActionSelected", "Back"},
			template("Detail", "Actions", "AttributeBar", "Back", "Description", "Heading", "Sections"),
		},
		{
			"list", "List", "Shows links in one or two columns",
			[]string{"ActionSelected", "Back"},
			template("List", "AttributeBar", "Back", "Heading", "Items", "SubHeading"),
		},
		{
			"confirmation", "Confirmation", "Tells that something was done, and goes on",
			[]string{"Next"},
			template("Confirmation", "AttributeBar", "Graphic", "Heading", "Next", "SubHeading"),
		},
		{
			"cards", "Cards", "Offers topics to choose from",
			[]string{"ActionSelected", "NoMatchFound", "Back"},
			template("Cards", "AttributeBar", "Back", "Cards", "CardsPerRow", "Heading", "NoMatchFound"),
		},
	} {
		c := Content{Actions: m.actions, Template: m.template}
		shown := c
		out = append(out, &View{Meta: resource.Meta{ID: m.id, Name: m.name, Version: 1}, Description: m.description, Draft: c, Shown: &shown})
	}
	return out
}

// template is a body of one component that is given all the data.
func template(component string, data ...string) string {
	var props []string
	for _, name := range data {
		props = append(props, `"`+name+`":"$.`+name+`"`)
	}
	return `{"Head":{"Title":"` + component + `"},"Body":[{"_id":"` + strings.ToLower(component) + `","Type":"` + component + `","Props":{` +
		strings.Join(props, ",") + `},"Content":[]}]}`
}

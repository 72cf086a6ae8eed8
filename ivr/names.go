package ivr

import "strings"

// nameKey is a reference in one action.
type nameKey struct{ actionID, ref string }

// displayNames reads what the designer of Amazon Connect writes beside the actions for its own use: the names of the
// queues, prompts, hours and flows whose ARNs stand in the parameters. There are several forms of it:
//
//	"ActionMetadata": {"<id>": {"parameters": {"QueueId": {"displayName": "BasicQueue"}}}}
//	"ActionMetadata": {"<id>": {"queue": {"id": "arn:...", "text": "BasicQueue"}}}
//	"ActionMetadata": {"<id>": {"promptName": "Beep.wav", "contactFlowModuleName": "Voicemail"}}
func displayNames(top map[string]any) map[nameKey]string {
	metadata, _ := top["Metadata"].(map[string]any)
	entries, _ := metadata["ActionMetadata"].(map[string]any)
	if len(entries) == 0 {
		return nil
	}
	out := make(map[nameKey]string)
	actions, _ := top["Actions"].([]any)
	for _, a := range actions {
		action, _ := a.(map[string]any)
		id, _ := action["Identifier"].(string)
		entry, _ := entries[id].(map[string]any)
		if entry == nil {
			continue
		}
		note := func(ref, name string) {
			if ref != "" && name != "" && ref != name {
				out[nameKey{id, ref}] = name
			}
		}
		pairNames(action["Parameters"], entry["parameters"], note)
		textNames(entry, note, 0)
		parameters, _ := action["Parameters"].(map[string]any)
		for beside, parameter := range map[string]string{"promptName": "PromptId", "contactFlowModuleName": "FlowModuleId"} {
			name, _ := entry[beside].(string)
			ref, _ := parameters[parameter].(string)
			note(ref, name)
		}
	}
	return out
}

// pairNames walks parameters and their metadata side by side.
func pairNames(parameters, metadata any, note func(ref, name string)) {
	switch m := metadata.(type) {
	case map[string]any:
		if ref, ok := parameters.(string); ok {
			name, _ := m["displayName"].(string)
			note(ref, name)
			return
		}
		p, _ := parameters.(map[string]any)
		for key := range m {
			if p != nil {
				pairNames(p[key], m[key], note)
			}
		}
	case []any:
		p, _ := parameters.([]any)
		for i := range min(len(m), len(p)) {
			pairNames(p[i], m[i], note)
		}
	}
}

// textNames finds the form with id and text, wherever it stands in the first levels.
func textNames(v any, note func(ref, name string), depth int) {
	if depth > 4 {
		return
	}
	switch m := v.(type) {
	case map[string]any:
		ref, _ := m["id"].(string)
		if ref == "" {
			ref, _ = m["arn"].(string)
		}
		name, _ := m["text"].(string)
		if strings.HasPrefix(ref, "arn:") {
			note(ref, name)
		}
		for key := range m {
			textNames(m[key], note, depth+1)
		}
	case []any:
		for i := range m {
			textNames(m[i], note, depth+1)
		}
	}
}

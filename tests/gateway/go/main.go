// Asks the gateway with OpenAI's official client for Go and prints what it saw as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/openai/openai-go"
	"github.com/openai/openai-go/option"
)

type report struct {
	Text          string   `json:"text"`
	Stream        string   `json:"stream"`
	Tool          string   `json:"tool"`
	Models        []string `json:"models"`
	WithoutKey    int      `json:"without_key"`
	Forbidden     int      `json:"forbidden"`
	ForbiddenCode string   `json:"forbidden_code"`
	Unknown       int      `json:"unknown"`
	Timeout       bool     `json:"timeout"`
}

func client(key string) openai.Client {
	return openai.NewClient(
		option.WithBaseURL(os.Getenv("OPENAI_BASE_URL")),
		option.WithAPIKey(key),
		option.WithMaxRetries(0),
	)
}

func chat(model, text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    openai.ChatModel(model),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)},
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// refusal asks once and returns the status and the code of the error.
func refusal(ctx context.Context, key, model string) (int, string) {
	asking := client(key)
	_, err := asking.Chat.Completions.New(ctx, chat(model, "hello"))
	var refused *openai.Error
	if !errors.As(err, &refused) {
		return 0, ""
	}
	return refused.StatusCode, refused.Code
}

func main() {
	ctx := context.Background()
	key, model := os.Getenv("KEY"), os.Getenv("MODEL")
	asking := client(key)
	var seen report

	whole, err := asking.Chat.Completions.New(ctx, chat(model, "hello"))
	must(err)
	seen.Text = whole.Choices[0].Message.Content

	stream := asking.Chat.Completions.NewStreaming(ctx, chat(model, "hello"))
	for stream.Next() {
		seen.Stream += stream.Current().Choices[0].Delta.Content
	}
	must(stream.Err())

	params := chat(model, "hello")
	params.Tools = []openai.ChatCompletionToolParam{{
		Function: openai.FunctionDefinitionParam{Name: "weather"},
	}}
	tools, err := asking.Chat.Completions.New(ctx, params)
	must(err)
	seen.Tool = tools.Choices[0].Message.ToolCalls[0].Function.Name

	models, err := asking.Models.List(ctx)
	must(err)
	for _, item := range models.Data {
		seen.Models = append(seen.Models, item.ID)
	}

	seen.WithoutKey, _ = refusal(ctx, "not-a-key", model)
	seen.Forbidden, seen.ForbiddenCode = refusal(ctx, os.Getenv("LIMITED_KEY"), os.Getenv("OTHER_MODEL"))
	seen.Unknown, _ = refusal(ctx, key, "none")

	impatient, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	_, err = asking.Chat.Completions.New(impatient, chat(model, os.Getenv("SLOW")))
	seen.Timeout = errors.Is(err, context.DeadlineExceeded)

	must(json.NewEncoder(os.Stdout).Encode(seen))
}

using System.Diagnostics;
using System.Text;
using Penstock.Gateway;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Kernel;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.OpenAi;

public sealed class OpenAiRequestReaderTests
{
    private const string Hello = "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]";
    private const string Function = "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]";

    [Fact]
    public void Every_field_is_read()
    {
        var call = Read(Golden.Read("Gateway/Wire/OpenAi/Goldens/request-full.json"));

        Assert.Equal(Golden.Read("Gateway/Wire/OpenAi/Goldens/request-full.txt").TrimEnd(), CallText.Of(call));
        Assert.Empty(call.DialectOnly);
    }

    [Fact]
    public void The_body_is_kept_as_it_came()
    {
        var body = Encoding.UTF8.GetBytes($"{{ \"model\" : \"m\", {Hello}, \"unknown\" : 1.0 }}");

        Assert.True(OpenAiRequestReader.Read(body).Body.Span.SequenceEqual(body));
    }

    [Theory]
    [InlineData("\"n\":1")]
    [InlineData("\"frequency_penalty\":0,\"presence_penalty\":0.0")]
    [InlineData("\"logprobs\":false")]
    [InlineData("\"logprobs\":false,\"top_logprobs\":0")]
    [InlineData("\"store\":false")]
    [InlineData("\"service_tier\":\"auto\"")]
    [InlineData("\"service_tier\":\"default\"")]
    [InlineData("\"stream_options\":null")]
    [InlineData("\"stream_options\":{}")]
    [InlineData("\"logit_bias\":{}")]
    [InlineData("\"metadata\":{}")]
    [InlineData("\"response_format\":{\"type\":\"text\"}")]
    [InlineData("\"modalities\":[\"text\"]")]
    [InlineData("\"stop\":[]")]
    [InlineData("\"stop\":null,\"seed\":null,\"user\":null,\"tools\":null,\"tool_choice\":null,\"functions\":null,\"anything\":null")]
    [InlineData("\"tools\":[]")]
    [InlineData("\"functions\":[]")]
    [InlineData("\"parallel_tool_calls\":null")]
    public void A_value_that_asks_for_nothing_reads_as_if_it_were_not_there(string field) =>
        Assert.Equal(CallText.Of(Read($"{{\"model\":\"m\",{Hello}}}")), CallText.Of(Read($"{{\"model\":\"m\",{Hello},{field}}}")));

    [Theory]
    [InlineData("\"logit_bias\":{\"50256\":-100}", "logit_bias")]
    [InlineData("\"metadata\":{\"a\":\"b\"}", "metadata")]
    [InlineData("\"store\":true", "store")]
    [InlineData("\"service_tier\":\"flex\"", "service_tier")]
    [InlineData("\"service_tier\":\"priority\"", "service_tier")]
    [InlineData("\"reasoning_effort\":\"low\"", "reasoning_effort")]
    [InlineData("\"verbosity\":\"high\"", "verbosity")]
    [InlineData("\"modalities\":[\"text\",\"audio\"]", "modalities")]
    [InlineData("\"audio\":{\"voice\":\"alloy\"}", "audio")]
    [InlineData("\"prediction\":{\"type\":\"content\"}", "prediction")]
    [InlineData("\"web_search_options\":{}", "web_search_options")]
    [InlineData("\"functions\":[{\"name\":\"f\"}]", "functions")]
    [InlineData("\"function_call\":\"auto\"", "function_call")]
    [InlineData("\"prompt_cache_key\":\"k\"", "prompt_cache_key")]
    [InlineData("\"safety_identifier\":\"u\"", "safety_identifier")]
    [InlineData("\"top_k\":40", "top_k")]
    [InlineData("\"best_of\":false", "best_of")]
    [InlineData("\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"c\"}}]", "tools[0]")]
    [InlineData("\"tools\":[{\"type\":\"function\",\"cache\":1,\"function\":{\"name\":\"f\",\"x\":2}}]", "tools[0].cache tools[0].function.x")]
    [InlineData(Function + ",\"tool_choice\":{\"type\":\"allowed_tools\",\"allowed_tools\":{}}", "tool_choice")]
    [InlineData("\"response_format\":{\"type\":\"grammar\",\"grammar\":\"x\"}", "response_format")]
    [InlineData("\"stream\":true,\"stream_options\":{\"include_obfuscation\":true}", "stream_options.include_obfuscation")]
    [InlineData("\"stream\":true,\"stream_options\":{\"include_usage\":true,\"more\":1}", "stream_options.more")]
    public void A_field_that_only_this_dialect_knows_is_listed_by_path(string field, string listed) =>
        Assert.Equal(listed, string.Join(' ', Read($"{{\"model\":\"m\",{Hello},{field}}}").DialectOnly));

    [Theory]
    [InlineData("{\"role\":\"user\",\"content\":\"x\",\"cache_control\":{\"a\":1}}", "messages[0].cache_control")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\",\"y\":1}]}", "messages[0].content[0].y")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a/b.png\",\"detail\":\"original\"}}]}", "messages[0].content[0].image_url.detail")]
    [InlineData("{\"role\":\"assistant\",\"content\":\"x\",\"reasoning_content\":\"hm\"}", "messages[0].reasoning_content")]
    [InlineData("{\"role\":\"assistant\",\"content\":\"x\",\"annotations\":[],\"refusal\":null,\"audio\":null,\"function_call\":null}", "")]
    [InlineData("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{oops\"}}]}", "messages[0].tool_calls[0].function.arguments")]
    [InlineData("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"[1]\"}}]}", "messages[0].tool_calls[0].function.arguments")]
    [InlineData("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":{}} \"}}]}", "")]
    public void What_only_this_dialect_knows_inside_a_message_is_listed_by_path(string message, string listed) =>
        Assert.Equal(listed, string.Join(' ', Read($"{{\"model\":\"m\",\"messages\":[{message}]}}").DialectOnly));

    [Theory]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA==\",\"format\":\"wav\"}}]}", "messages[0].content[0]", "input_audio")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}]}", "messages[0].content[0]", "file")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"video_url\"}]}", "messages[0].content[0]", "video_url")]
    [InlineData("{\"role\":\"function\",\"name\":\"f\",\"content\":\"1\"}", "messages[0]", "function")]
    [InlineData("{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}}", "messages[0].function_call", "function_call")]
    [InlineData("{\"role\":\"assistant\",\"audio\":{\"id\":\"a\"}}", "messages[0].audio", "audio")]
    [InlineData("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"custom\",\"custom\":{\"name\":\"f\",\"input\":\"\"}}]}", "messages[0].tool_calls[0]", "custom")]
    public void A_part_without_a_neutral_word_is_opaque_with_its_path(string message, string path, string type) =>
        Assert.Equal(new OpaquePart(path, type), Assert.Single(Assert.Single(Read($"{{\"model\":\"m\",\"messages\":[{message}]}}").Messages).Parts));

    [Theory]
    [InlineData("{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}", "Assistant: call c f {}")]
    [InlineData("{\"role\":\"assistant\",\"content\":\"\"}", "Assistant: text ''")]
    [InlineData("{\"role\":\"assistant\",\"content\":null,\"refusal\":\"no\"}", "Assistant: refused 'no'")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"DATA:image/PNG;charset=x;base64,AAAA\",\"detail\":\"auto\"}}]}", "User: image  image/png AAAA ")]
    public void A_message_reads_as_what_it_says(string message, string expected) =>
        Assert.Equal(expected, CallText.Of(Assert.Single(Read($"{{\"model\":\"m\",\"messages\":[{message}]}}").Messages)));

    [Theory]
    [InlineData("\"max_tokens\":7", 7)]
    [InlineData("\"max_completion_tokens\":8", 8)]
    [InlineData("\"max_completion_tokens\":8,\"max_tokens\":8", 8)]
    [InlineData("\"max_completion_tokens\":8,\"max_tokens\":null", 8)]
    public void Both_names_of_the_cap_are_read(string field, int cap) => Assert.Equal(cap, Read($"{{\"model\":\"m\",{Hello},{field}}}").MaxOutputTokens);

    [Theory]
    [InlineData("{" + Hello + "}", "model", "required")]
    [InlineData("{\"model\":null," + Hello + "}", "model", "required")]
    [InlineData("{\"model\":\"\"," + Hello + "}", "model", "must not be empty")]
    [InlineData("{\"model\":1," + Hello + "}", "model", "must be a string")]
    [InlineData("{\"model\":\"m\"}", "messages", "required")]
    [InlineData("{\"model\":\"m\",\"messages\":[]}", "messages", "at least one")]
    [InlineData("{\"model\":\"m\",\"messages\":\"Hello\"}", "messages", "must be an array")]
    public void What_is_missing_is_named(string body, string field, string says) => AssertRefused(body, field, says);

    [Theory]
    [InlineData("\"max_tokens\":1,\"max_completion_tokens\":2", "max_tokens", "disagree")]
    [InlineData("\"max_tokens\":0", "max_tokens", "from 1")]
    [InlineData("\"max_tokens\":1.5", "max_tokens", "whole number")]
    [InlineData("\"max_completion_tokens\":\"9\"", "max_completion_tokens", "whole number")]
    [InlineData("\"temperature\":2.1", "temperature", "from 0 to 2")]
    [InlineData("\"temperature\":\"hot\"", "temperature", "it is a string")]
    [InlineData("\"top_p\":-0.1", "top_p", "from 0 to 1")]
    [InlineData("\"n\":0", "n", "from 1 to 128")]
    [InlineData("\"n\":129", "n", "from 1 to 128")]
    [InlineData("\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "stop", "at most 4")]
    [InlineData("\"stop\":[\"a\",1]", "stop[1]", "must be a string")]
    [InlineData("\"stop\":\"\"", "stop", "must not be empty")]
    [InlineData("\"stop\":{}", "stop", "string or an array")]
    [InlineData("\"seed\":1.5", "seed", "whole number")]
    [InlineData("\"logprobs\":1", "logprobs", "true or false")]
    [InlineData("\"logprobs\":true,\"top_logprobs\":21", "top_logprobs", "from 0 to 20")]
    [InlineData("\"top_logprobs\":2", "top_logprobs", "'logprobs': true")]
    [InlineData("\"frequency_penalty\":-2.5", "frequency_penalty", "from -2 to 2")]
    [InlineData("\"presence_penalty\":3", "presence_penalty", "from -2 to 2")]
    [InlineData("\"user\":7", "user", "must be a string")]
    [InlineData("\"stream\":\"yes\"", "stream", "true or false")]
    [InlineData("\"stream_options\":{\"include_usage\":true}", "stream_options", "'stream': true")]
    [InlineData("\"stream\":true,\"stream_options\":{\"include_usage\":1}", "stream_options.include_usage", "true or false")]
    [InlineData("\"stream\":true,\"stream_options\":true", "stream_options", "must be an object")]
    [InlineData("\"store\":\"no\"", "store", "true or false")]
    [InlineData("\"metadata\":[]", "metadata", "must be an object")]
    [InlineData("\"logit_bias\":1", "logit_bias", "must be an object")]
    [InlineData("\"service_tier\":1", "service_tier", "must be a string")]
    [InlineData("\"reasoning_effort\":1", "reasoning_effort", "must be a string")]
    [InlineData("\"modalities\":\"text\"", "modalities", "must be an array")]
    [InlineData("\"functions\":{}", "functions", "must be an array")]
    [InlineData("\"function_call\":1", "function_call", "'none', 'auto' or an object")]
    [InlineData("\"parallel_tool_calls\":\"no\"", "parallel_tool_calls", "true or false")]
    [InlineData("\"response_format\":\"json\"", "response_format", "must be an object")]
    [InlineData("\"response_format\":{}", "response_format.type", "required")]
    [InlineData("\"response_format\":{\"type\":\"json_schema\"}", "response_format.json_schema", "required")]
    [InlineData("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{}}}", "response_format.json_schema.name", "required")]
    [InlineData("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\",\"schema\":[]}}", "response_format.json_schema.schema", "must be an object")]
    [InlineData("\"tools\":{}", "tools", "must be an array")]
    [InlineData("\"tools\":[1]", "tools[0]", "must be an object")]
    [InlineData("\"tools\":[{\"function\":{\"name\":\"f\"}}]", "tools[0].type", "required")]
    [InlineData("\"tools\":[{\"type\":\"function\"}]", "tools[0].function", "required")]
    [InlineData("\"tools\":[{\"type\":\"function\",\"function\":{}}]", "tools[0].function.name", "required")]
    [InlineData("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":\"{}\"}}]", "tools[0].function.parameters", "must be an object")]
    [InlineData("\"tool_choice\":\"required\"", "tool_choice", "'tools' gives none")]
    [InlineData("\"tool_choice\":\"any\"", "tool_choice", "auto, none, required")]
    [InlineData("\"tool_choice\":7", "tool_choice", "must be 'auto'")]
    [InlineData(Function + ",\"tool_choice\":{\"type\":\"function\"}", "tool_choice.function", "required")]
    [InlineData(Function + ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"g\"}}", "tool_choice.function.name", "'g'")]
    public void A_bad_field_is_named_with_what_it_must_be(string field, string named, string says) =>
        AssertRefused($"{{\"model\":\"m\",{Hello},{field}}}", named, says);

    [Theory]
    [InlineData("MAX_TOKENS", "max_tokens")]
    [InlineData("Model", "model")]
    [InlineData("N", "n")]
    public void A_field_spelt_in_another_case_is_refused_because_some_servers_would_take_it(string name, string spelt) =>
        AssertRefused($"{{\"model\":\"m\",{Hello},\"{name}\":1}}", name, $"is spelt '{spelt}'");

    [Theory]
    [InlineData("1", "messages[0]", "must be an object")]
    [InlineData("{}", "messages[0].role", "required")]
    [InlineData("{\"role\":\"robot\",\"content\":\"x\"}", "messages[0].role", "one of system, developer, user, assistant, tool")]
    [InlineData("{\"role\":\"user\"}", "messages[0].content", "required")]
    [InlineData("{\"role\":\"user\",\"content\":1}", "messages[0].content", "string or an array of parts")]
    [InlineData("{\"role\":\"user\",\"content\":[]}", "messages[0].content", "at least one part")]
    [InlineData("{\"role\":\"user\",\"content\":[\"x\"]}", "messages[0].content[0]", "must be an object")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}", "messages[0].content[0].type", "required")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}", "messages[0].content[0].text", "required")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":\"https://a/b\"}]}", "messages[0].content[0].image_url", "must be an object")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"file:///etc/passwd\"}}]}", "messages[0].content[0].image_url.url", "https://")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png,AAAA\"}}]}", "messages[0].content[0].image_url.url", "data:image/png;base64")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:;base64,AAAA\"}}]}", "messages[0].content[0].image_url.url", "data:image/png;base64")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:\"}}]}", "messages[0].content[0].image_url.url", "data:image/png;base64")]
    [InlineData("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,A*==\"}}]}", "messages[0].content[0].image_url.url", "not base64")]
    [InlineData("{\"role\":\"tool\",\"content\":\"x\"}", "messages[0].tool_call_id", "required")]
    [InlineData("{\"role\":\"tool\",\"tool_call_id\":\"c\"}", "messages[0].content", "required")]
    [InlineData("{\"role\":\"assistant\"}", "messages[0]", "neither 'content' nor 'tool_calls'")]
    [InlineData("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]}", "messages[0]", "neither 'content' nor 'tool_calls'")]
    [InlineData("{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}", "messages[0].tool_calls[0].id", "required")]
    [InlineData("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"arguments\":\"{}\"}}]}", "messages[0].tool_calls[0].function.name", "required")]
    [InlineData("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":{}}}]}", "messages[0].tool_calls[0].function.arguments", "must be a string")]
    [InlineData("{\"role\":\"user\",\"content\":\"\\ud800\"}", "messages[0].content", "surrogate")]
    public void A_bad_message_is_named_with_what_it_must_be(string message, string named, string says) =>
        AssertRefused($"{{\"model\":\"m\",\"messages\":[{message}]}}", named, says);

    [Fact]
    public void A_name_that_is_hostile_in_length_is_not_repeated_whole()
    {
        var name = new string('x', 100_000);

        Assert.True(Assert.Single(Read($"{{\"model\":\"m\",{Hello},\"{name}\":1}}").DialectOnly).Length < 300);
        AssertRefused($"{{\"model\":\"{name}\",{Hello}}}", "model", "at most 256");
        Assert.True(Refused($"{{\"model\":\"m\",{Hello},{Function},\"tool_choice\":{{\"type\":\"function\",\"function\":{{\"name\":\"{name[..250]}\"}}}}}}").Message.Length < 400);
    }

    [Fact]
    public void A_great_body_is_read_in_linear_time()
    {
        var messages = string.Join(',', Enumerable.Repeat("{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}],\"y\":1}", 50_000));
        var unknown = string.Join(',', Enumerable.Range(0, 50_000).Select(i => $"\"u{i}\":1"));
        var clock = Stopwatch.StartNew();

        var call = Read($"{{\"model\":\"m\",\"messages\":[{messages}],{unknown}}}");

        Assert.Equal(100_000, call.DialectOnly.Count);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(15), $"took {clock.Elapsed}");
    }

    private static ChatCall Read(string body) => OpenAiRequestReader.Read(Encoding.UTF8.GetBytes(body));

    private static Refusal Refused(string body) => Assert.Throws<RefusedException>(() => Read(body)).Refusal;

    private static void AssertRefused(string body, string field, string says)
    {
        var refusal = Refused(body);
        Assert.Equal(field, refusal.Field);
        Assert.Contains(says, refusal.Message);
        Assert.StartsWith($"'{field}", refusal.Message);
        Assert.Equal(400, refusal.Status);
    }
}

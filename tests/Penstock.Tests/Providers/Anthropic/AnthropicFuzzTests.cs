using System.Text;
using Penstock.Gateway;
using Penstock.Gateway.Wire.Anthropic;
using Penstock.Kernel;
using Penstock.Providers.Anthropic;
using Penstock.Providers.Http;
using Penstock.Tests.Gateway.Wire.Anthropic;
using Xunit;

namespace Penstock.Tests.Providers.Anthropic;

/// <summary>Bodies and events with bytes changed, cut, doubled and swapped: each is read or refused, and nothing else is ever thrown.</summary>
public sealed class AnthropicFuzzTests
{
    private const int Rounds = 4000;

    private const string Request = """
        {"model":"m","max_tokens":64,"temperature":0.5,"stream":true,"stop_sequences":["END"],"metadata":{"user_id":"u"},"system":[{"type":"text","text":"s"}],
        "messages":[{"role":"user","content":[{"type":"text","text":"q\u00e9"},{"type":"image","source":{"type":"url","url":"https://a/b"}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},
        {"type":"tool_use","id":"t1","name":"n","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"r"}],"is_error":true}]}],
        "tools":[{"name":"n","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"n"},"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},"thinking":{"type":"disabled"}}
        """;

    [Fact]
    public void A_mutated_request_is_read_or_refused_and_what_is_read_can_be_written()
    {
        using var connections = new UpstreamConnections();
        var provider = AnthropicCalls.Provider(new Uri("http://127.0.0.1:9"), connections);
        var read = 0;
        for (var seed = 1u; seed <= Rounds; seed++)
        {
            ChatCall call;
            try
            {
                call = new AnthropicDialect().Read(Mutate(Encoding.UTF8.GetBytes(Request), seed));
            }
            catch (RefusedException)
            {
                continue;
            }

            read++;
            var target = AnthropicCalls.Of(call with { Dialect = Dialect.OpenAi });
            AnthropicRequestWriter.Write(AnthropicCalls.Of(call));
            AnthropicRequestWriter.WriteCount(AnthropicCalls.Of(call));
            if (provider.Objects(target) is null) AnthropicRequestWriter.Write(target);
        }

        Assert.InRange(read, Rounds / 20, Rounds - (Rounds / 20));
    }

    [Fact]
    public async Task A_mutated_stream_is_read_or_the_providers_fault()
    {
        var recorded = Encoding.UTF8.GetBytes(Golden.Read("Providers/Anthropic", "upstream.sse"));
        var call = AnthropicCalls.FromAnthropic("""{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"q"}]}""");
        for (var seed = 1u; seed <= 300; seed++)
        {
            await using var upstream = RawUpstream.Answering([.. Encoding.UTF8.GetBytes(RawUpstream.Stream("")), .. Mutate(recorded, seed)]);
            try
            {
                Assert.True((await AnthropicCalls.AnswerAsync(upstream, call, TestContext.Current.CancellationToken))[^1].Last);
            }
            catch (ProviderException)
            {
                // The other way it may end.
            }
        }
    }

    [Fact]
    public void A_mutated_answer_is_read_or_the_providers_fault()
    {
        var recorded = Encoding.UTF8.GetBytes(Golden.Read("Providers/Anthropic", "upstream.json"));
        var failures = new AnthropicFailures(new ProviderSettings("a", "anthropic", null, null), TimeProvider.System);
        for (var seed = 1u; seed <= Rounds; seed++)
        {
            var thrown = Record.Exception(() => AnthropicAnswerReader.ReadWhole(Mutate(recorded, seed), failures));
            Assert.True(thrown is null or ProviderException || AnthropicProvider.IsMalformed(thrown), thrown?.ToString());
        }
    }

    private static byte[] Mutate(byte[] body, uint seed)
    {
        var random = new Xorshift(seed);
        var bytes = new List<byte>(body);
        for (var changes = 1 + random.Below(3); changes > 0 && bytes.Count > 1; changes--)
        {
            var at = random.Below(bytes.Count);
            switch (random.Below(5))
            {
                case 0:
                    bytes[at] = (byte)random.Below(256);
                    break;
                case 1:
                    bytes[at] = (byte)"{}[]\",:0-enultf\\"[random.Below(16)];
                    break;
                case 2:
                    bytes.RemoveRange(at, Math.Min(random.Below(12), bytes.Count - at));
                    break;
                case 3:
                    bytes.InsertRange(random.Below(bytes.Count), bytes.GetRange(at, Math.Min(random.Below(40), bytes.Count - at)));
                    break;
                default:
                    var letter = bytes.FindIndex(at, found => found is >= (byte)'a' and <= (byte)'z');
                    if (letter >= 0) bytes[letter] = (byte)('a' + random.Below(26));
                    break;
            }
        }

        return [.. bytes];
    }

    private sealed class Xorshift(uint seed)
    {
        private uint _state = (seed * 2654435761u) | 1;

        public int Below(int limit)
        {
            _state ^= _state << 13;
            _state ^= _state >> 17;
            _state ^= _state << 5;
            return (int)(_state % (uint)limit);
        }
    }
}

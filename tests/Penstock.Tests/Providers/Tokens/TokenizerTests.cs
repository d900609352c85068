using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Penstock.Providers.Tokens;
using Xunit;

namespace Penstock.Tests.Providers.Tokens;

public sealed class TokenizerTests
{
    /// <summary>
    /// Texts and ids computed with npm's gpt-tokenizer 4.0.0 (<c>encode</c> of its o200k_base and cl100k_base, no special tokens).
    /// U+FEFF and U+0085 are left out: JavaScript's white space differs there from that of OpenAI's own implementation, which we follow.
    /// </summary>
    private static readonly string Vectors = Path.Combine(RankFiles.Root, "tests/Penstock.Tests/Providers/Tokens/token-vectors.json");

    [Theory]
    [InlineData("o200k", "gpt-4o-mini")]
    [InlineData("cl100k", "gpt-4-turbo")]
    public void Ids_are_those_of_another_implementation(string encoding, string model)
    {
        var tokenizer = RankFiles.Loaded().ForModel(model)!;
        using var vectors = JsonDocument.Parse(File.ReadAllBytes(Environment.GetEnvironmentVariable("PENSTOCK_TEST_TOKEN_VECTORS") ?? Vectors));
        foreach (var vector in vectors.RootElement.EnumerateArray())
        {
            var text = vector.GetProperty("text").GetString()!;
            var ids = vector.GetProperty(encoding).EnumerateArray().Select(id => id.GetInt32()).ToList();
            Assert.True(ids.SequenceEqual(tokenizer.Encode(text)), $"{encoding}: {JsonSerializer.Serialize(text)}\nwant {string.Join(' ', ids)}\nhave {string.Join(' ', tokenizer.Encode(text))}");
            Assert.Equal((ids.Count, true), ((int)tokenizer.Count(text).Tokens, tokenizer.Count(text).Exact));
        }
    }

    [Theory]
    [InlineData("gpt-4o", "o200k")]
    [InlineData("gpt-4o-2024-08-06", "o200k")]
    [InlineData("openai/gpt-4.1-nano", "o200k")]
    [InlineData("gpt-5-mini", "o200k")]
    [InlineData("o3-mini", "o200k")]
    [InlineData("ft:gpt-4o-mini:org::id", "o200k")]
    [InlineData("gpt-4", "cl100k")]
    [InlineData("gpt-4-turbo", "cl100k")]
    [InlineData("ft:gpt-3.5-turbo:org::id", "cl100k")]
    [InlineData("text-embedding-3-small", "cl100k")]
    [InlineData("text-embedding-004", null)]
    [InlineData("claude-haiku-4-5", null)]
    [InlineData("llama3", null)]
    public void Models_are_counted_with_their_own_vocabulary(string model, string? rules) =>
        Assert.Equal(rules, Tokenizers.RulesOf(model)?.ToString().ToLowerInvariant());

    /// <summary>Unoptimised code is given more time; quadratic work would take minutes either way.</summary>
#if DEBUG
    private const double Seconds = 5;
#else
    private const double Seconds = 1;
#endif

    public static TheoryData<string> HostileTexts => ["spaces", "letter", "mixed", "marks", "upper then lower", "digits", "quotes", "emoji", "line breaks", "half pairs", "random letters"];

    [Theory]
    [MemberData(nameof(HostileTexts))]
    public void A_megabyte_of_hostile_text_takes_no_more_than_a_second(string kind)
    {
        // Half a pair becomes three bytes.
        var text = Hostile(kind, kind == "half pairs" ? 333_333 : 1_000_000);
        foreach (var model in new[] { "gpt-4o", "gpt-4" })
        {
            var tokenizer = RankFiles.Loaded().ForModel(model)!;
            // The best of three: the first may still be compiled.
            var best = TimeSpan.MaxValue;
            for (var attempt = 0; attempt < 3 && best > TimeSpan.FromSeconds(Seconds); attempt++)
            {
                var before = OfThisThread();
                Assert.InRange(tokenizer.Count(text).Tokens, 1, Encoding.UTF8.GetByteCount(text));
                best = OfThisThread() - before;
            }

            Assert.InRange(best.TotalSeconds, 0, Seconds);
        }
    }

    [Fact]
    public void A_long_piece_is_merged_as_a_short_one_would_be()
    {
        var ranks = RankTable.Load(Path.Combine(RankFiles.Root, "artifacts/tokenizer/o200k_base.tiktoken"), 199_998);
        // The same unbroken text, once as one long piece (heap), once in pieces short enough to be scanned.
        var word = Hostile("random letters", 96);
        var scanned = new List<int>();
        PairMerge.Merge(ranks, Encoding.UTF8.GetBytes(word), scanned);
        var heaped = new List<int>();
        PairMerge.Merge(ranks, Encoding.UTF8.GetBytes(word + "\u0001\u0001"), heaped);
        Assert.Equal(scanned, heaped[..scanned.Count]);
    }

    [Fact]
    public void Only_an_unbroken_run_past_all_writing_is_inexact()
    {
        var tokenizer = RankFiles.Loaded().ForModel("gpt-4o")!;
        Assert.True(tokenizer.Count(new string('a', 32_768)).Exact);
        Assert.False(tokenizer.Count(new string('a', 32_769)).Exact);
    }

    [Theory]
    [InlineData("aGk= 0\n")]
    [InlineData("aGk= 0\naGo= 2\n")]
    [InlineData("aGk= 0\nnot-base64 1\n")]
    [InlineData("aGk= 0\naGo= 1\naGw= 2\n")]
    public void A_damaged_rank_file_is_refused(string content)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, content);
            Assert.Throws<InvalidDataException>(() => RankTable.Load(path, 2));
            File.WriteAllText(path, "aGk= 0\r\naGo= 1");
            Assert.Equal(1, RankTable.Load(path, 2).Find("hj"u8));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Time this thread has had a processor, where the system tells (Linux), so that a busy machine fails no test; else the time of day.</summary>
    private static TimeSpan OfThisThread()
    {
        const string Account = "/proc/thread-self/schedstat";
        return File.Exists(Account)
            ? TimeSpan.FromTicks(long.Parse(File.ReadAllText(Account).Split(' ')[0], CultureInfo.InvariantCulture) / TimeSpan.NanosecondsPerTick)
            : Stopwatch.GetElapsedTime(0);
    }

    private static string Hostile(string kind, int length)
    {
        var seed = 17u;
        var text = new StringBuilder(length + 1);
        for (var i = 0; i < length; i++)
        {
            seed = (seed * 1_664_525) + 1_013_904_223;
            text.Append(kind switch
            {
                "spaces" => ' ',
                "letter" => 'a',
                "mixed" => " aA1\n.'\u0301漢"[(int)(seed >> 16) % 9],
                "marks" => '\u0301',
                "upper then lower" => i < length / 2 ? 'A' : i == length / 2 ? 'ª' : 'B',
                "digits" => '7',
                "quotes" => '\'',
                "emoji" => i % 2 == 0 ? '\ud83d' : '\ude00',
                "line breaks" => i % 2 == 0 ? '\n' : ' ',
                "half pairs" => '\ud83d',
                _ => (char)('a' + ((seed >> 16) % 26)),
            });
        }

        return text.ToString();
    }
}

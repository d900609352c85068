using System.Buffers;
using System.Text;
using Penstock.Gateway;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Kernel;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway.Wire.OpenAi;

public sealed class OpenAiEmbeddingsTests
{
    [Fact]
    public void One_text_is_one_input()
    {
        var request = Read("{\"model\":\"m\",\"input\":\"a\"}");

        Assert.Equal(["a"], request.Inputs);
        Assert.False(request.Base64);
        Assert.Null(request.Dimensions);
    }

    [Fact]
    public void Every_field_is_read()
    {
        var request = Read("{\"input\":[\"a\",\"b\"],\"model\":\"m\",\"encoding_format\":\"base64\",\"dimensions\":3,\"user\":\"u\"}");

        Assert.Equal(["a", "b"], request.Inputs);
        Assert.Equal(("m", 3, true, "u"), (request.Model, request.Dimensions, request.Base64, request.EndUser));
    }

    [Theory]
    [InlineData("{\"model\":\"m\"}", "input", "required")]
    [InlineData("{\"input\":\"a\"}", "model", "required")]
    [InlineData("{\"model\":\"m\",\"input\":\"\"}", "input", "must not be empty")]
    [InlineData("{\"model\":\"m\",\"input\":[]}", "input", "at least one")]
    [InlineData("{\"model\":\"m\",\"input\":[\"a\",\"\"]}", "input[1]", "must not be empty")]
    [InlineData("{\"model\":\"m\",\"input\":[\"a\",1]}", "input[1]", "must be a string")]
    [InlineData("{\"model\":\"m\",\"input\":[1,2]}", "input", "send text")]
    [InlineData("{\"model\":\"m\",\"input\":[[1,2],[3]]}", "input", "send text")]
    [InlineData("{\"model\":\"m\",\"input\":{}}", "input", "string or an array")]
    [InlineData("{\"model\":\"m\",\"input\":\"a\",\"encoding_format\":\"int8\"}", "encoding_format", "float, base64")]
    [InlineData("{\"model\":\"m\",\"input\":\"a\",\"dimensions\":0}", "dimensions", "from 1")]
    [InlineData("{\"model\":\"m\",\"input\":\"a\",\"user\":1}", "user", "must be a string")]
    [InlineData("{\"model\":\"m\",\"input\":\"a\",\"truncate\":true}", "truncate", "not a field")]
    public void A_bad_field_is_named_with_what_it_must_be(string body, string field, string says)
    {
        var refusal = Assert.Throws<RefusedException>(() => Read(body)).Refusal;

        Assert.Equal(field, refusal.Field);
        Assert.Contains(says, refusal.Message);
    }

    [Fact]
    public void Two_thousand_and_forty_eight_inputs_are_taken_and_one_more_is_not()
    {
        static string Body(int count) => $"{{\"model\":\"m\",\"input\":[{string.Join(',', Enumerable.Repeat("\"a\"", count))}]}}";

        Assert.Equal(2048, Read(Body(2048)).Inputs.Count);
        Assert.Contains("2049", Assert.Throws<RefusedException>(() => Read(Body(2049))).Message);
    }

    [Fact]
    public void Floats_are_written_as_digits() => Assert.Equal(
        "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.5,-1.25]},{\"object\":\"embedding\",\"index\":1,\"embedding\":[3,1E-07]}],"
        + "\"model\":\"text-embedding-3-small\",\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}",
        Written(base64: false));

    [Fact]
    public void Base64_is_of_little_endian_floats() => Assert.Equal(
        "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":\"AAAAPwAAoL8=\"},{\"object\":\"embedding\",\"index\":1,\"embedding\":\"AABAQJW/1jM=\"}],"
        + "\"model\":\"text-embedding-3-small\",\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}",
        Written(base64: true));

    [Fact]
    public void Models_are_listed_and_shown_alone()
    {
        var model = new OpenAiModel("gpt-4o-mini", DateTimeOffset.UnixEpoch.AddSeconds(5), "openai");
        var list = new ArrayBufferWriter<byte>();
        var one = new ArrayBufferWriter<byte>();

        OpenAiModels.WriteList([model, model with { Id = "local" }], list);
        OpenAiModels.WriteOne(model, one);

        const string shown = "{\"id\":\"gpt-4o-mini\",\"object\":\"model\",\"created\":5,\"owned_by\":\"openai\"}";
        Assert.Equal($"{{\"object\":\"list\",\"data\":[{shown},{shown.Replace("gpt-4o-mini", "local")}]}}", Encoding.UTF8.GetString(list.WrittenSpan));
        Assert.Equal(shown, Encoding.UTF8.GetString(one.WrittenSpan));
    }

    private static OpenAiEmbedRequest Read(string body) => OpenAiEmbeddings.Read(Encoding.UTF8.GetBytes(body));

    private static string Written(bool base64)
    {
        var output = new ArrayBufferWriter<byte>();
        OpenAiEmbeddings.Write(new EmbedAnswer([[0.5f, -1.25f], [3f, 1e-7f]], "text-embedding-3-small", TokenCounts.Of(9, 0), false), base64, output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}

using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Amazon.Runtime;
using Penstock.Aws.Lambda;
using Penstock.Tools.Functions;
using Xunit;

namespace Penstock.Aws.Tests;

/// <summary>What becomes of a call when Lambda, or the way to it, fails: on a real socket that answers what a test says.</summary>
public sealed class LambdaFunctionTests : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentQueue<string> _answers = new();
    private readonly ConcurrentQueue<string> _seen = new();

    public LambdaFunctionTests()
    {
        _listener.Start();
        _ = ServeAsync();
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    public async Task A_call_whose_outcome_is_not_known_is_sent_again_only_where_it_may_be(bool mayRepeat, int sends)
    {
        _answers.Enqueue(Answer("500 Internal Server Error", """{"Type":"Service"}""", "x-amzn-ErrorType: ServiceException\r\n"));
        _answers.Enqueue(Answer("200 OK", """{"output":1}"""));

        var answer = await InvokeAsync(mayRepeat);

        Assert.Equal(mayRepeat, answer is FunctionAnswer.Answered);
        Assert.Equal(sends, _seen.Count);
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    public async Task So_is_one_whose_connection_broke_off(bool mayRepeat, int sends)
    {
        _answers.Enqueue("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        _answers.Enqueue("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");

        Assert.IsType<FunctionAnswer.Failed>(await InvokeAsync(mayRepeat));
        Assert.Equal(sends, _seen.Count);
    }

    [Fact]
    public async Task What_is_throttled_did_nothing_and_is_left_to_whoever_asked_with_the_time_to_wait()
    {
        _answers.Enqueue(Answer("429 Too Many Requests", """{"Type":"User"}""", "Retry-After: 3\r\nx-amzn-ErrorType: TooManyRequestsException:http://internal.amazon.com/\r\n"));

        var answer = Assert.IsType<FunctionAnswer.NotBegun>(await InvokeAsync(mayRepeat: true));

        Assert.Equal(("Lambda answered 429 TooManyRequestsException", TimeSpan.FromSeconds(3)), (answer.Why, answer.RetryAfter));
        Assert.Single(_seen);
    }

    [Fact]
    public async Task Nobody_there_did_nothing()
    {
        _listener.Stop();

        Assert.IsType<FunctionAnswer.NotBegun>(await InvokeAsync(mayRepeat: true));
    }

    [Fact]
    public async Task A_server_without_credentials_says_so()
    {
        using var functions = new LambdaFunctions(Options(), () => throw new AmazonClientException("none"), TimeProvider.System);

        var answer = Assert.IsType<FunctionAnswer.NotBegun>(await functions.InvokeAsync(new FunctionCall("f", "{}"u8.ToArray(), MayRepeat: true), Ct));
        Assert.Contains("credentials", answer.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_is_signed_with_its_session_and_the_name_of_its_function_is_encoded_twice_in_what_is_signed()
    {
        _answers.Enqueue(Answer("200 OK", "{}"));
        using var functions = new LambdaFunctions(Options(), () => new SessionAWSCredentials("AKIDEXAMPLE", "secret", "session-token"), TimeProvider.System);

        await functions.InvokeAsync(new FunctionCall("arn:aws:lambda:eu-central-1:123456789012:function:f:$LATEST", "{}"u8.ToArray(), MayRepeat: false), Ct);

        var request = Assert.Single(_seen);
        Assert.StartsWith("POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Af%3A%24LATEST/invocations HTTP/1.1\r\n", request, StringComparison.Ordinal);
        Assert.Contains("X-Amz-Security-Token: session-token\r\n", request, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("/eu-central-1/lambda/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-invocation-type;x-amz-security-token, Signature=", request, StringComparison.Ordinal);
    }

    public void Dispose() => _listener.Dispose();

    private async Task<FunctionAnswer> InvokeAsync(bool mayRepeat)
    {
        using var functions = new LambdaFunctions(Options(), () => new BasicAWSCredentials("AKIDEXAMPLE", "secret"), TimeProvider.System);
        return await functions.InvokeAsync(new FunctionCall("summarize", "{}"u8.ToArray(), mayRepeat), Ct);
    }

    private LambdaFunctionOptions Options() => new() { Region = "eu-central-1", Endpoint = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}") };

    private static string Answer(string status, string body, string headers = "") => $"HTTP/1.1 {status}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n{headers}\r\n{body}";

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync(CancellationToken.None);
                var buffer = new byte[16 * 1024];
                var text = "";
                // Its body is '{}' in every test.
                while (!text.EndsWith("\r\n\r\n{}", StringComparison.Ordinal)) text += Encoding.ASCII.GetString(buffer, 0, await client.GetStream().ReadAsync(buffer));
                _seen.Enqueue(text);
                if (_answers.TryDequeue(out var answer)) await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(answer));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The test is over.
        }
    }
}

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Penstock.LambdaFront;

namespace Penstock.Lambda.Tests;

/// <summary>
/// Lambda's Invoke API on a real socket, in front of a function's Runtime API. It computes each signature by itself and refuses what does not match, and a
/// function's name may order a failure.
/// </summary>
internal sealed class InvokeStandIn : IAsyncDisposable
{
    public const string Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    public const string Identity = "AKIDEXAMPLE";

    private readonly WebApplication _app;
    private readonly RuntimeStandIn _function;

    private InvokeStandIn(RuntimeStandIn function)
    {
        _function = function;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    public string Address => _app.Urls.First();

    /// <summary>What came in: the function's name and the payload.</summary>
    public ConcurrentQueue<(string Function, string Payload)> Seen { get; } = new();

    public static async Task<InvokeStandIn> StartAsync(RuntimeStandIn function)
    {
        var server = new InvokeStandIn(function);
        await server._app.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        var target = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        if (Signature(http, target, body.ToArray()) is { } problem)
        {
            await AnswerAsync(http, 403, "InvalidSignatureException", problem);
            return;
        }

        if (http.Request.Method != "POST" || target.Split('/') is not ["", "2015-03-31", "functions", var encoded, "invocations"] || http.Request.Headers["X-Amz-Invocation-Type"] != "RequestResponse")
        {
            await AnswerAsync(http, 400, "InvalidRequestContentException", "no invocation");
            return;
        }

        var name = Uri.UnescapeDataString(encoded);
        Seen.Enqueue((name, Encoding.UTF8.GetString(body.ToArray())));
        await InvokeAsync(http, name, body.ToArray());
    }

    private async Task InvokeAsync(HttpContext http, string name, byte[] payload)
    {
        switch (name)
        {
            case "throttled":
                http.Response.Headers.RetryAfter = "7";
                await AnswerAsync(http, 429, "TooManyRequestsException", "Rate Exceeded.");
                return;
            case "missing":
                await AnswerAsync(http, 404, "ResourceNotFoundException", "Function not found");
                return;
            case "down":
                await AnswerAsync(http, 500, "ServiceException", "internal");
                return;
            case "crashes":
                http.Response.Headers["X-Amz-Function-Error"] = "Unhandled";
                await http.Response.WriteAsync("""{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 1 Error: secret"}""");
                return;
        }

        var end = await _function.Send(payload).Ended;
        if (end.Failed) http.Response.Headers["X-Amz-Function-Error"] = "Unhandled";
        http.Response.Headers["X-Amz-Executed-Version"] = "$LATEST";
        await http.Response.Body.WriteAsync(end.Body);
    }

    private static async Task AnswerAsync(HttpContext http, int status, string type, string message)
    {
        http.Response.StatusCode = status;
        http.Response.Headers["x-amzn-ErrorType"] = type;
        await http.Response.WriteAsync($$"""{"Type":"User","message":"{{message}}"}""");
    }

    /// <summary>Why the signature does not hold; null where it does.</summary>
    private static string? Signature(HttpContext http, string target, byte[] body)
    {
        var parts = http.Request.Headers.Authorization.ToString().Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
        if (parts is not ["AWS4-HMAC-SHA256", var credential, var signed, var signature]) return "no signature";
        var scope = credential["Credential=".Length..].Split('/');
        if (scope is not [Identity, var day, "eu-central-1", "lambda", "aws4_request"]) return $"the scope is {credential}";
        var names = signed["SignedHeaders=".Length..].Split(';');
        if (!names.Contains("host") || !names.Contains("x-amz-date")) return "host and date are not signed";
        var date = http.Request.Headers["X-Amz-Date"].ToString();
        if (Math.Abs((DateTimeOffset.ParseExact(date, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal) - TimeProvider.System.GetUtcNow()).TotalMinutes) > 15) return "the date is too far away";
        var headers = string.Concat(names.Select(name => $"{name}:{(name == "host" ? http.Request.Host.Value : http.Request.Headers[name].ToString())}\n"));
        var path = string.Join('/', target.Split('/').Select(Uri.EscapeDataString));
        var canonical = $"{http.Request.Method}\n{path}\n\n{headers}\n{string.Join(';', names)}\n{Convert.ToHexStringLower(SHA256.HashData(body))}";
        var text = $"AWS4-HMAC-SHA256\n{date}\n{day}/eu-central-1/lambda/aws4_request\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical)))}";
        var key = new[] { day, "eu-central-1", "lambda", "aws4_request" }.Aggregate(Encoding.UTF8.GetBytes("AWS4" + Secret), (from, part) => HMACSHA256.HashData(from, Encoding.UTF8.GetBytes(part)));
        return signature == "Signature=" + Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text))) ? null : "the signature does not match";
    }
}

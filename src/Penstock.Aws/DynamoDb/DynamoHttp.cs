using Amazon.Runtime;

namespace Penstock.Aws.DynamoDb;

/// <summary>
/// The connections of DynamoDB's client. An answer is whole before the SDK sees it: the SDK reads it without <c>await</c>, and on a server whose sockets go on
/// inline that would be the thread that has the rest of it to bring.
/// </summary>
internal sealed class DynamoHttp(TimeSpan timeout) : HttpClientFactory, IDisposable
{
    private readonly HttpClient _client = new(new WholeAnswers()) { Timeout = timeout };

    public override HttpClient CreateHttpClient(IClientConfig clientConfig) => _client;

    public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

    public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;

    public void Dispose() => _client.Dispose();

    private sealed class WholeAnswers() : DelegatingHandler(Connections())
    {
        private static SocketsHttpHandler Connections() => new()
        {
            ConnectTimeout = TimeSpan.FromSeconds(3),
            AllowAutoRedirect = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        };

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = await base.SendAsync(request, cancellationToken);
            try
            {
                await answer.Content.LoadIntoBufferAsync(cancellationToken);
                return answer;
            }
            catch
            {
                answer.Dispose();
                throw;
            }
        }
    }
}
